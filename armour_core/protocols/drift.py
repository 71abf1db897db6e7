"""What drift detectors promise: over whole windows (`fit`, `test`), value by value (`stream`), or both."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


class DriftResult(Protocol):
    """The answer for one window."""

    @property
    def statistic(self) -> float:
        """What was compared; its meaning is the test's."""

    @property
    def p_value(self) -> float | None:
        """How often no drift looks like this; None where the method has a distance and no test."""

    @property
    def drifted(self) -> bool:
        """Whether the window counts as drifted."""


class FittedDrift(Protocol):
    """A detector that knows its reference."""

    def test(self, window: Any) -> DriftResult:
        """Compare a window (M, ...) with the reference."""


class Stream(Protocol):
    """A detector that is fed value by value; the one mutable object of its kind."""

    def update(self, value: Any) -> bool:
        """Take one value; True: alarm now."""


@runtime_checkable
class DriftDetector(Protocol):
    """A frozen configuration, for windows."""

    def fit(self, reference: Any) -> FittedDrift:
        """Remember a reference (N, ...), an array or an iterator of batches."""


@runtime_checkable
class StreamDetector(Protocol):
    """A frozen configuration, for streams."""

    def stream(self) -> Stream:
        """A fresh stream."""
