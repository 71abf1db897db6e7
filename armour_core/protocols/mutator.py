"""What a mutator promises: new test inputs from old ones."""

from __future__ import annotations

from typing import Protocol

from armour_core.protocols.backend import Array
from armour_core.rng import Rng


class Mutator(Protocol):
    """A frozen configuration; its strength is a field."""

    def mutate(self, x: Array, rng: Rng) -> Array:
        """A changed batch of the same shape and dtype, within the same bounds."""

    def valid(self, x0: Array, x: Array) -> Array:
        """bool (N,): whether x still means what x0 means, so that the label may be kept."""
