"""What the parts of private training promise: noise, clipping, accounting. A plan couples them, so that they agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from armour_core.protocols.backend import Array


class Mechanism(Protocol):
    """Noise for a sum whose change by one example is bounded. It comes from the operating system's generator."""

    @property
    def noise_multiplier(self) -> float:
        """Standard deviation (or scale) of the noise over the sensitivity."""

    def add(self, sums: Mapping[str, Array], sensitivity: float) -> Mapping[str, Array]:
        """The sums with noise."""

    def event(self, sample_rate: float) -> Mapping[str, Any]:
        """What one use spends, as an accountant is told: plain values, the mechanism's name among them."""


class Clipper(Protocol):
    """A bound on what one example adds."""

    @property
    def sensitivity(self) -> float:
        """The bound that `factors` keeps."""

    def factors(self, norms: Array) -> Array:
        """(N,) norms, or (N, L) per layer -> factors of the same shape in [0, 1]."""

    def updated(self, norms: Array) -> Clipper:
        """The clipper for the next step; itself, unless it adapts."""


class Accountant(Protocol):
    """A tiny state machine. States are plain values, so that they are stored with a checkpoint."""

    def start(self) -> Mapping[str, Any]:
        """Nothing spent."""

    def spend(self, state: Mapping[str, Any], event: Mapping[str, Any], count: int = 1) -> Mapping[str, Any]:
        """The state after an event has happened `count` times."""

    def epsilon(self, state: Mapping[str, Any], delta: float) -> float:
        """The epsilon spent at this delta: an upper bound, never an estimate from below."""
