"""What an executor promises: units of work done somewhere, one failing unit costing only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol


class Executor(Protocol):
    """A frozen configuration: serial, processes, a cluster."""

    def map(
        self, fn: Callable[[Mapping[str, Any]], Mapping[str, Any]], work: Iterable[Mapping[str, Any]]
    ) -> Iterator[Mapping[str, Any]]:
        """`fn` of each unit, as they finish. Units and answers are plain values and arrays, never pickles; a unit that
        raises answers {"unit": ..., "error": ...}."""
