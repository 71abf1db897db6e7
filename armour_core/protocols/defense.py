"""What a defense promises: another Model."""

from __future__ import annotations

from typing import Any, Protocol

from armour_core.protocols.model import Model


class Defense(Protocol):
    """A frozen configuration. What it returns is a model like any other: attacked, scanned, defended again.

    A defense that transforms inputs is seen through by attacks (adaptive evaluation) unless the caller says otherwise.
    """

    def protect(self, model: Model, data: Any = None) -> Model:
        """The defended model; `model` itself is as it was. data: (x, y), for defenses that train or calibrate."""
