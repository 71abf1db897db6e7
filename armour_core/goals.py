"""What an attack is after. A goal is met where the predicted class says so; its margin is positive just there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from attrs import define, field

from armour_core.functional import as_logits, lead

if TYPE_CHECKING:
    from armour_core.protocols.backend import Array


def _signed(xp: Any, met: Array, margin: Array) -> Array:
    """Bring a margin into line with argmax at ties: positive where met, never positive elsewhere."""
    tiny = xp.finfo(margin.dtype).smallest_normal
    return xp.where(met, xp.maximum(margin, tiny), margin)


def _hard(xp: Any, met: Array) -> Array:
    """The margin of a model that tells only labels."""
    return xp.astype(met, xp.float32) * 2.0 - 1.0


@define(eq=False)  # not frozen: torch's compiler cannot trace the making of a frozen object
class Untargeted:
    """Any class but the label's. labels: int32 (N,)."""

    labels: Array
    xp: Any = field(default=np, repr=False)
    kind: ClassVar[str] = "untargeted"

    def margin(self, outputs: Array) -> Array:
        """Best other output minus the label's: (N, C) -> (N,); from labels (N,): +1 or -1."""
        xp = self.xp
        if outputs.ndim == self.labels.ndim:
            return _hard(xp, outputs != self.labels)
        met = xp.astype(xp.argmax(outputs, axis=-1), xp.int32) != self.labels
        return _signed(xp, met, lead(xp, outputs, self.labels))


@define(eq=False)
class Targeted:
    """Exactly these classes. labels: int32 (N,), the targets."""

    labels: Array
    xp: Any = field(default=np, repr=False)
    kind: ClassVar[str] = "targeted"

    def margin(self, outputs: Array) -> Array:
        """The target's output minus the best other: (N, C) -> (N,); from labels (N,): +1 or -1."""
        xp = self.xp
        if outputs.ndim == self.labels.ndim:
            return _hard(xp, outputs == self.labels)
        met = xp.astype(xp.argmax(outputs, axis=-1), xp.int32) == self.labels
        return _signed(xp, met, -lead(xp, outputs, self.labels))


Goal = Untargeted | Targeted
KINDS: dict[str, type[Untargeted] | type[Targeted]] = {"untargeted": Untargeted, "targeted": Targeted}


def graded(goal: Goal, outputs: Array, kind: str) -> Array:
    """The margin of outputs of this kind, by which one failure is told from another: (N, C) -> (N,).

    Of probabilities it is taken in their logarithms, since near 0 and 1 differences vanish in floats; its sign is that
    of the margin of the outputs themselves.
    """
    margin = goal.margin(outputs)
    if kind != "probabilities":
        return margin
    fine = goal.margin(as_logits(goal.xp, outputs, kind))
    return goal.xp.where(margin > 0, goal.xp.maximum(fine, margin), goal.xp.minimum(fine, 0.0))
