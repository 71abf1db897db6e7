"""What detectors promise, of adversarial inputs ("detector") and of inputs from elsewhere ("ood")."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from armour_core.protocols.model import Model


class Fitted(Protocol):
    """A detector that has seen ordinary data."""

    def score(self, x: Any) -> np.ndarray:
        """(N,), float: higher is more suspicious."""

    def threshold(self, fpr: float = 0.05) -> float:
        """The score that at most this share of ordinary inputs exceeds."""


class Detector(Protocol):
    """A frozen configuration. It never changes the model."""

    def fit(self, model: Model, x: Any, y: Any = None) -> Fitted:
        """A fitted detector; x: ordinary inputs, y: their labels where the method needs them."""
