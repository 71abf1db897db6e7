"""What an attack is asked to solve, as a value; and the part of it that compiled code is made for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import field, frozen

from armour_core.errors import ConfigError
from armour_core.goals import Goal
from armour_core.protocols.backend import Array
from armour_core.protocols.model import Model

UNTIL = ("success", "max_loss")


@frozen(kw_only=True)
class Budget:
    """What one sample may cost. None: no limit.

    queries counts forward rows sent on the sample's behalf, the first prediction and the last check included, hence at
    least 3 for an attack to ask anything; steps counts steps of all rounds; seconds is looked at between chunks of
    steps and covers one batch. Raises ConfigError for what is not positive.
    """

    queries: int | None = None
    steps: int | None = None
    seconds: float | None = None

    def __attrs_post_init__(self) -> None:
        for name, least in (("queries", 2), ("steps", 1)):
            value = getattr(self, name)
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least
            ):
                why = " (the first prediction and the last check are two of them)" if name == "queries" else ""
                raise ConfigError(f"budget: {name}={value!r}. Give a whole number of at least {least}{why}.")
        if self.seconds is not None and not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise ConfigError(f"budget: seconds={self.seconds!r}. Give a positive number.")


def as_budget(budget: Any) -> Budget | None:
    """A Budget from what callers write: None, an int (forward queries a sample), or a Budget."""
    if budget is None or isinstance(budget, Budget):
        return budget
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer):
        raise ConfigError(
            f"budget={budget!r}. Give an int (forward queries per sample) or armour.Budget(queries=, steps=, seconds=)."
        )
    return Budget(queries=int(budget))


def _until(_: Any, __: Any, value: str) -> None:
    if value not in UNTIL:
        raise ConfigError(f"until={value!r}. Choose one of: {', '.join(UNTIL)}.")


@frozen(kw_only=True, eq=False)
class Problem:
    """One batch to attack: native tensors in the model's dtype. `drive` takes it; an attack sees it through a view."""

    model: Model
    x: Array  #: (N, ...) the clean rows
    goal: Goal  #: its labels are int32 (N,)
    norm: str
    eps: Array | float | None = None  #: one number, or a tensor (N,); None for a minimum-norm attack
    enough: Array | float | None = None  #: for a minimum-norm attack: a success this near ends the row
    mask: Array | None = None  #: bool, broadcastable to x; True = may change
    constraints: tuple[Callable[[Array, Array], Array], ...] = ()  #: (x, clean) -> the nearest x they allow
    budget: Budget | None = None
    spent: np.ndarray | None = None  #: int32 (N,): queries that went before, beside the first prediction
    index: Array | None = None  #: int32 (N,), places in the data set; None: 0 .. N-1
    until: str = field(default="success", validator=_until)
    clean: Array | None = None  #: the first prediction where it is already paid for
    caller: np.ndarray | None = None  #: the rows as the caller gave them, in whose dtype the result must hold
    row_limit: int | None = None  #: rows sent to the model at once; None: N


@frozen(kw_only=True)
class Frame:
    """All that is static in a problem: with the attack, shapes and dtypes it is the key of compiled code.

    Whatever a trace sees and this omits is a bug that shows only on the second call.
    """

    goal: str
    norm: str
    until: str
    bounds: tuple[float, float]
    outputs: str
    num_classes: int | None
    channel_axis: int | None
    minimum: bool  #: eps is None for the attack
    wide_eps: bool  #: eps is per row
    masked: bool
    counted: bool  #: there is a query budget
    enough: bool
    constraints: tuple[Callable[[Array, Array], Array], ...]
    track: bool
    exact: bool  #: rows are gathered and sent exactly: the model is not local, or the attack is not traceable
    row_limit: int

    @property
    def hard(self) -> bool:
        """Whether the model tells only labels."""
        return self.outputs == "labels"
