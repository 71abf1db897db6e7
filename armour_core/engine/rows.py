"""Which rows of a batch are computed now: taken out of the whole in buckets, and put back."""

from __future__ import annotations

from typing import Any

import numpy as np

from armour_core.protocols.backend import Array, Backend

Rows = dict[str, Array]


class Part:
    """Some rows of a batch: their tensors, and the place of each in the whole. Padding repeats the first row."""

    def __init__(self, carry: Rows, rows: Rows, place: np.ndarray, real: int):
        self.carry, self.rows, self.place, self.real = carry, rows, place, real

    @property
    def size(self) -> int:
        """Rows, padding included."""
        return len(self.place)


class Batch:
    """The whole of a batch: what `Part`s are taken from and put back into."""

    def __init__(self, backend: Backend, carry: Rows, rows: Rows):
        self.carry, self.rows = carry, rows
        self._backend = backend
        self._xp: Any = backend.xp
        self._n: int = rows["x"].shape[0]

    def take(self, chosen: np.ndarray, size: int) -> Part:
        """These rows, padded to `size` with copies that are over from birth."""
        if size == len(chosen) == self._n:
            return Part(self.carry, self.rows, chosen, size)
        place = np.concatenate([chosen, np.repeat(chosen[:1], size - len(chosen))]).astype(np.int32)
        index = self._backend.asarray(place)
        carry = {key: self._xp.take(value, index, axis=0) for key, value in self.carry.items()}
        rows = {key: self._xp.take(value, index, axis=0) for key, value in self.rows.items()}
        if size > len(chosen):
            pad = self._backend.asarray(np.arange(size) >= len(chosen))
            carry["over"] = carry["over"] | pad
        return Part(carry, rows, place, len(chosen))

    def put(self, part: Part) -> None:
        """Back where they came from. A key new to the whole starts as some row's value, which nobody reads."""
        if part.size == part.real == self._n:
            self.carry = dict(part.carry)
            return
        xp, asarray = self._xp, self._backend.asarray
        source = np.arange(self._n, dtype=np.int32)
        source[part.place[: part.real]] = self._n + np.arange(part.real, dtype=np.int32)
        back, fill = asarray(source), asarray(np.zeros(self._n, dtype=np.int32))
        before = self.carry.get("computed")
        for key, value in part.carry.items():
            old = self.carry[key] if key in self.carry else xp.take(value, fill, axis=0)
            self.carry[key] = xp.take(xp.concat([old, value], axis=0), back, axis=0)
        if part.size > part.real and before is not None:
            # What was computed for padding is booked where the padding was copied from.
            first = part.place[0]
            total = xp.astype(xp.sum(part.carry["computed"][part.real :]), xp.int32)
            waste = total - (part.size - part.real) * before[int(first)]
            here = xp.arange(self._n, dtype=xp.int32) == int(first)
            self.carry["computed"] = xp.where(here, self.carry["computed"] + waste, self.carry["computed"])
