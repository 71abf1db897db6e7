"""What a coverage measure promises: a small state machine over batches, whose states merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from armour_core.protocols.model import Model

State = Mapping[str, Any]


class Coverage(Protocol):
    """A frozen configuration."""

    def empty(self, model: Model, reference: Any = None) -> State:
        """Nothing covered yet. reference: ordinary inputs, for measures that need activation ranges."""

    def update(self, state: State, x: Any) -> State:
        """The state after a batch; `state` itself is as it was."""

    def merge(self, a: State, b: State) -> State:
        """What either has covered. The order does not matter, and merging a state with itself changes nothing."""

    def value(self, state: State) -> float:
        """The covered share, 0 to 1."""
