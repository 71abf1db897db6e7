"""What a fault model promises: where it can strike, and a model in which it has struck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from armour_core.protocols.model import Model
from armour_core.rng import Rng


class Fault(Protocol):
    """A frozen configuration: what breaks, how often, for how long."""

    def sites(self, model: Model) -> Sequence[Any]:
        """Places where it can strike, each storage once; plain values with `name`, `shape`, `dtype`."""

    def inject(self, model: Model, sites: Sequence[Any], rng: Rng) -> Model:
        """A view of the model with the fault at these sites; the network is untouched outside its calls."""
