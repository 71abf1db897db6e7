"""What attacks on privacy and on training promise. Their results carry baselines and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from armour_core.protocols.model import Model
from armour_core.rng import Rng


class Leak(Protocol):
    """What an inference attack found, beside what guessing finds."""

    @property
    def scores(self) -> np.ndarray:
        """(N,): higher is more likely a member, or the attribute in question."""

    @property
    def value(self) -> float:
        """The headline number; its name is in `to_dict()`."""

    @property
    def interval(self) -> tuple[float, float]:
        """Its interval."""

    @property
    def baseline(self) -> float:
        """What an attacker without the model reaches."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a report."""


class Inference(Protocol):
    """Membership, attribute or property inference, inversion: what a model gives away of its training data."""

    def infer(self, model: Model, inside: Any, outside: Any, rng: Rng) -> Leak:
        """inside: (x, y) the model was trained on; outside: (x, y) of the same kind that it was not."""


class Extraction(Protocol):
    """Copying a model from its answers."""

    def extract(self, model: Model, x: Any, learner: Callable[[], Any], rng: Rng) -> Model:
        """The copy. x: inputs to ask with; learner: makes an untrained one; the attack's budget is a field."""


class Poison(Protocol):
    """Changing training data."""

    def poison(self, x: Any, y: Any, rng: Rng) -> tuple[Any, Any, np.ndarray]:
        """Changed x and y, and bool (N,): the rows that were changed or added."""

    def trigger(self, x: Any) -> Any:
        """Inputs as the attacker presents them later; x itself, where there is no trigger."""

    def describe(self) -> Mapping[str, Any]:
        """What the attacker wants, in plain values: the target class, the share poisoned."""
