"""What a probe promises: one question asked of a model, answered in findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from armour_core.data import Dataset
from armour_core.findings import Finding
from armour_core.protocols.model import Model


class Probe(Protocol):
    """A frozen configuration."""

    def run(self, model: Model, data: Dataset, ctx: Any) -> Iterable[Finding]:
        """Findings, also that nothing was found. ctx: what the scan was asked: threat, seed, budget, where to store."""
