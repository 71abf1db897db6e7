"""What is kept of a batch while it is attacked: who is found, what was asked, and the best candidate of each row.

Books are row tensors in a flat dict, so that they pass in and out of compiled code beside the attack's own state:

    found over (bool)  forward backward computed [left] (int32)  [best, and merit (fixed eps) or dist (minimum norm)]
"""

from __future__ import annotations

from typing import Any

from armour_core.engine.problem import Frame
from armour_core.norms import Norm
from armour_core.protocols.backend import Array, Backend


def opened(frame: Frame, backend: Backend, x: Array, left: Array | None) -> dict[str, Array]:
    """The books of a batch before its first step. left: int32 (N,), queries left, or None."""
    xp, n = backend.xp, x.shape[0]
    books = {key: xp.zeros((n,), dtype=xp.int32) for key in ("forward", "backward", "computed")}
    books |= {key: xp.zeros((n,), dtype=xp.bool) for key in ("found", "over")}
    if frame.track:
        books["best"] = x
        books["dist" if frame.minimum else "merit"] = xp.full((n,), xp.inf if frame.minimum else -xp.inf, dtype=x.dtype)
    if left is not None:
        books["left"] = left
    return books


class Books:
    """Writes the books of one step. Each write replaces a tensor; nothing is changed in place."""

    def __init__(self, frame: Frame, backend: Backend, entries: dict[str, Array], resting: Array | None):
        """resting: bool (N,), rows that are done in this round, or None."""
        self.entries = dict(entries)
        self._frame, self._backend, self._resting = frame, backend, resting
        self._xp: Any = backend.xp

    @property
    def live(self) -> Array:
        """bool (N,): rows still asked for."""
        over = self.entries["over"]
        return self._xp.logical_not(over if self._resting is None else over | self._resting)

    def afford(self, where: Array | None, per: int, cost: int) -> Array:
        """Which points are sent, bool (N,) or (N, R): live, wanted, and the first in row order that the budget pays."""
        xp, sent = self._xp, self.live
        if per:
            sent = xp.broadcast_to(xp.expand_dims(sent, axis=1), (sent.shape[0], per))
        if where is not None:
            sent = sent & (xp.expand_dims(where, axis=1) if where.ndim < sent.ndim else where)
        if self._frame.counted:
            affordable = self.entries["left"] // cost
            if per:
                order = xp.astype(xp.cumulative_sum(xp.astype(sent, xp.int32), axis=1), xp.int32)
                sent = sent & (order <= xp.expand_dims(affordable, axis=1))
            else:
                sent = sent & (affordable > 0)
        return sent

    def count(self, sent: Array, per: int, cost: int, computed: int | Array, backward: int = 0) -> None:
        """Book what was sent to its samples. computed: rows that the model computed for each, these included."""
        xp, e = self._xp, self.entries
        rows = xp.astype(sent, xp.int32)
        if per:
            rows = xp.astype(xp.sum(rows, axis=1), xp.int32)
        booked = rows if cost == 1 else rows * cost
        e["forward"] = e["forward"] + booked
        e["computed"] = e["computed"] + computed
        if backward:
            e["backward"] = e["backward"] + (booked if backward == 1 else booked * backward)
        if self._frame.counted:
            e["left"] = e["left"] - booked

    def close(self) -> dict[str, Array]:
        """The entries after the step; a row whose budget is spent has left."""
        if self._frame.counted:
            self.entries["over"] = self.entries["over"] | (self.entries["left"] <= 0)
        return self.entries

    def keep(
        self, x: Array, merit: Array, hit: Array, sent: Array, norm: Norm, x0: Array, enough: Array | None
    ) -> None:
        """Judge one candidate a row. merit (N,): margin or training loss; hit (N,): the goal is met."""
        xp, e, frame = self._xp, self.entries, self._frame
        hit = hit & sent
        if not frame.track:
            e["found"] = e["found"] | hit
            return
        if frame.minimum:
            size = norm.size(x - x0)
            better = hit & (size < e["dist"])
            e["dist"] = xp.where(better, size, e["dist"])
            e["found"] = e["found"] | hit
            if enough is not None:
                e["over"] = e["over"] | (better & (size <= enough))
        else:
            better = sent & (merit > e["merit"])
            e["merit"] = xp.where(better, merit, e["merit"])
            if frame.until == "success":
                e["found"] = e["found"] | hit
                e["over"] = e["over"] | hit
            else:
                e["found"] = xp.where(better, hit, e["found"])
        e["best"] = self._backend.select(better, x, e["best"])

    def best_of(
        self, points: Array, merit: Array, hit: Array, sent: Array, norm: Norm, x0: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Of R points a sample the one to judge: its x, merit, hit and sent. points (N R, ...), the others (N, R)."""
        xp = self._xp
        n, per = sent.shape
        if self._frame.minimum:
            start = xp.reshape(xp.broadcast_to(xp.expand_dims(x0, axis=1), (n, per, *x0.shape[1:])), points.shape)
            size = xp.reshape(norm.size(points - start), (n, per))
            rank = xp.where(hit & sent, -size, xp.full_like(size, -xp.inf))
        else:
            rank = xp.where(sent, merit, xp.full_like(merit, -xp.inf))
        first = xp.astype(xp.argmax(rank, axis=1), xp.int32)
        place = xp.expand_dims(first, axis=1)
        x = xp.take(points, xp.arange(n, dtype=xp.int32) * per + first, axis=0)
        merit, hit, sent = (xp.squeeze(xp.take_along_axis(v, place, axis=1), axis=1) for v in (merit, hit, sent))
        return x, merit, hit, sent


def frozen_rows(backend: Backend, rows: Array, old: dict[str, Array], new: dict[str, Array]) -> dict[str, Array]:
    """`new`, but `old` for these rows."""
    return {key: backend.select(rows, old[key], value) for key, value in new.items()}
