"""Two ways in which points reach the model.

Traced: every row of the batch is computed, in compiled code or eagerly, and what was not asked for is not booked.
Exact: the rows to send are gathered on the host and no other is sent, in blocks; for models that are remote or mere
Python, and for attacks whose steps are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from armour_core.protocols.backend import Array, Backend
from armour_core.protocols.model import Model


class Send(Protocol):
    """Outputs for points (M, ...), of which those with `sent`, bool (M,), are asked; and rows computed, (M,) or 1."""

    exact: bool

    def __call__(self, points: Array, sent: Array) -> tuple[Array, Array | int]: ...


class Traced:
    """The model's own forward on all points."""

    exact = False

    def __init__(self, model: Model):
        self._model = model

    def __call__(self, points: Array, sent: Array) -> tuple[Array, Array | int]:
        return self._model.forward(points), 1


class Exact:
    """Only the rows that are sent, in blocks of at most `limit`; outputs of the others are zeros."""

    exact = True

    def __init__(self, model: Model, limit: int, forward: Callable[[Array], Array], padded: bool):
        """padded: `forward` is compiled for each shape, so row counts are brought to powers of two."""
        self._model, self._limit, self._forward, self._padded = model, limit, forward, padded

    def __call__(self, points: Array, sent: Array) -> tuple[Array, Array | int]:
        backend: Backend = self._model.backend
        xp: Any = backend.xp
        chosen = np.flatnonzero(backend.to_numpy(sent))
        computed = np.zeros(points.shape[0], dtype=np.int32)
        computed[chosen] = 1
        parts = []
        for start in range(0, len(chosen), self._limit):
            rows = chosen[start : start + self._limit]
            padded = rows
            if self._padded:
                padded = np.concatenate([rows, np.repeat(rows[:1], bucket(len(rows), self._limit) - len(rows))])
                computed[rows[0]] += len(padded) - len(rows)
            block = xp.take(points, backend.asarray(padded.astype(np.int32)), axis=0)
            outputs = self._forward(block)
            parts.append(outputs[: len(rows), ...])
        if not parts:
            return None, 0
        place = np.zeros(points.shape[0], dtype=np.int32)
        place[chosen] = np.arange(len(chosen), dtype=np.int32)
        found = parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)
        return xp.take(found, backend.asarray(place), axis=0), backend.asarray(computed)


def bucket(n: int, limit: int) -> int:
    """The power of two that holds n rows, but never more than `limit` rows."""
    return min(limit, 1 << max(0, n - 1).bit_length()) if n <= limit else n
