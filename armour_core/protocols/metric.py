"""What a metric promises: a number with its interval."""

from __future__ import annotations

from typing import Any, Protocol


class Metric(Protocol):
    """A frozen configuration."""

    def compute(self, *inputs: Any) -> Any:
        """From a Result or from arrays, as its docstring says: a value with `value`, `interval` and `n`, such as a
        `findings.Measure`. Raises DataError for inputs it has no meaning for."""
