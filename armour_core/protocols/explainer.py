"""What an explainer promises: how much each element of an input counted for an output."""

from __future__ import annotations

from typing import Any, Protocol

from armour_core.protocols.backend import Array
from armour_core.protocols.model import Model


class Explainer(Protocol):
    """A frozen configuration."""

    def attribute(self, model: Model, x: Any, target: Any) -> Array:
        """Attributions like x: positive speaks for `target` (int, or int (N,))."""
