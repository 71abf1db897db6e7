"""Counter-based random numbers: the same bits on every backend, whatever the batch, the order, the chunk or the layout.

A draw is a hash of (seed, stream, round, step, site, sample, element) in wrapping int32 arithmetic, which every backend
has. There is no state: a generator is a key, and the site is the how-manyth draw from this very object.
Three lowbias32 rounds (Wellons, "Prospecting for Hash Functions", 2018) separate the stages.
"""

from __future__ import annotations

import functools
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from armour_core.errors import ContractError

if TYPE_CHECKING:
    from armour_core.protocols.backend import Array, Backend

_GOLDEN = -1640531527  # 2**32 / phi as int32: keeps neighbouring counters apart before mixing
_AT, _FORK, _SITE = 0x51ED270B, 0x2545F491, 0x1B873593  # so that at(1), fork and the first draw never share a key


def mix(xp: Any, x: Array) -> Array:
    """The lowbias32 finaliser on int32 tensors, for backends without a faster way to the same bits."""
    shift = xp.bitwise_right_shift
    x = x ^ (shift(x, 16) & 0xFFFF)
    x = x * 0x7FEB352D
    x = x ^ (shift(x, 15) & 0x1FFFF)
    x = x * -2073254261  # 0x846CA68B
    return x ^ (shift(x, 16) & 0xFFFF)


def mix_int(x: int) -> int:
    """The same on one Python int; returns a signed 32-bit value."""
    x &= 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    x ^= x >> 16
    return x - (1 << 32) if x >= 1 << 31 else x


def key_of(seed: int) -> int:
    """The root key of a seed of any size, as a signed 32-bit int."""
    key = mix_int(_GOLDEN)
    for word in range(max(1, (abs(seed).bit_length() + 31) // 32)):
        key = mix_int(key ^ mix_int((abs(seed) >> 32 * word) + word + 1))
    return mix_int(key ^ 1) if seed < 0 else key


def root(backend: Backend, seed: int) -> Rng:
    """A generator for `seed`, not yet bound to samples: its `shared` draws, `fork` and `at` work."""
    key = key_of(seed)
    return Rng(backend, lambda: backend.asarray(np.int32(key)), None)


@functools.lru_cache(maxsize=64)
def _numbers(shape: tuple[int, ...], channel_axis: int) -> np.ndarray:
    """0, 1, 2, ... with `channel_axis` running fastest, spread over int32."""
    numbers = np.arange(math.prod(shape), dtype=np.int64)
    if shape and channel_axis < len(shape) - 1:
        last = (*shape[:channel_axis], *shape[channel_axis + 1 :], shape[channel_axis])
        numbers = np.moveaxis(numbers.reshape(last), -1, channel_axis)
    spread = (numbers.reshape(shape) * 0x9E3779B1 & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return np.ascontiguousarray(spread) if shape else spread


class Rng:
    """Draws keyed by sample. The first axis of every shape is the sample axis; `(N, R, ...)` gives R draws a sample."""

    __slots__ = ("_axis", "_backend", "_index", "_key", "_rank", "_site")

    def __init__(self, backend: Backend, key: Any, index: Array | None, rank: int = 0, channel_axis: int | None = None):
        """key: 0-d int32, or what makes it when first drawn from; index: int32 (N,), or None for shared draws; rank and
        channel_axis: of the batch x.
        """
        self._backend, self._key, self._index, self._rank, self._axis = backend, key, index, rank, channel_axis
        self._site = 0

    def bind(self, index: Array, rank: int, channel_axis: int | None) -> Rng:
        """The same stream, for the samples whose places in the data set are `index`."""
        return Rng(self._backend, self._key, index, rank, channel_axis)

    @property
    def key(self) -> Array:
        """The 0-d int32 key: what compiled code takes as an argument, so that a new seed does not retrace."""
        if callable(self._key):  # an algorithm that draws nothing pays nothing
            self._key = self._key()
        return self._key

    @property
    def shared(self) -> Rng:
        """One draw for all rows: shapes come without the sample axis. Independent of the batch."""
        return self._child(_FORK, zlib.crc32(b"shared"), None)

    def at(self, k: Any) -> Rng:
        """Folds in a step or loop number (int or 0-d int32 tensor); does not advance the parent."""
        return self._child(_AT, k, self._index)

    def fork(self, name: str) -> Rng:
        """A stream of its own."""
        return self._child(_FORK, zlib.crc32(name.encode()), self._index)

    def uniform(self, shape: tuple[int, ...], low: Any = 0.0, high: Any = 1.0) -> Array:
        """float32 in [low, high), 24 bits each."""
        unit = self._unit(self._bits(shape))
        if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
            return unit
        return low + (high - low) * unit

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normal float32, by Box-Muller: equal bits in, values within 4e-7 between backends."""
        xp = self._backend.xp
        site = self._next_site()
        radius = self._unit(self._bits(shape, site, 0)) + 2.0**-25  # never log(0)
        angle = self._unit(self._bits(shape, site, 1))
        return xp.sqrt(-2.0 * xp.log(radius)) * xp.cos(2.0 * math.pi * angle)

    def integers(self, shape: tuple[int, ...], n: Any) -> Array:
        """int32 in 0 .. n-1; n: an int up to 2**24, or a tensor that broadcasts."""
        xp = self._backend.xp
        top = n - 1 if isinstance(n, int) else xp.astype(n, xp.int32) - 1
        scale = float(n) if isinstance(n, int) else xp.astype(n, xp.float32)
        return xp.minimum(xp.astype(xp.floor(self._unit(self._bits(shape)) * scale), xp.int32), xp.zeros_like(top) + top
                          if not isinstance(top, int) else xp.full((), top, dtype=xp.int32))

    def permutation(self, shape: tuple[int, ...]) -> Array:
        """int32: a random order of 0 .. shape[-1]-1 along the last axis, each row its own."""
        xp = self._backend.xp
        return xp.astype(xp.argsort(self._bits(shape), axis=-1, stable=True), xp.int32)

    # ---- the hash
    def _child(self, salt: int, value: Any, index: Array | None) -> Rng:
        return Rng(self._backend, lambda: self._fold(salt, value), index, self._rank, self._axis)

    def _fold(self, salt: int, value: Any) -> Array:
        if isinstance(value, int):
            value = self._backend.asarray(np.int32(mix_int(value ^ salt)))
        else:
            value = self._backend.mix(value ^ salt)
        return self._backend.mix(self.key * 5 ^ value)  # not symmetric: at(1).fork(a) is not fork(a).at(1)

    def _next_site(self) -> int:
        self._site += 1
        return self._site

    def _bits(self, shape: tuple[int, ...], site: int | None = None, lane: int = 0) -> Array:
        """int32 bits of `shape`; `lane` numbers independent draws of one site."""
        mix, xp = self._backend.mix, self._backend.xp
        key = self._fold(_SITE, (site or self._next_site()) * 4 + lane)
        if self._index is None:
            elements = self._elements(tuple(shape), self._rank - 1, self._axis - 1 if self._axis is not None else None)
            return mix(mix(elements ^ key) ^ key)
        if len(shape) == 0 or shape[0] != self._index.shape[0]:
            raise ContractError(
                f"rng: a draw of shape {tuple(shape)} for {self._index.shape[0]} samples. The first axis is the sample axis: "
                "ask for (N, R, ...) to get R draws a sample, or use rng.shared."
            )
        rows = mix(mix(self._index * _GOLDEN ^ key))
        rest = tuple(shape[1:])
        if not rest:
            return rows
        elements = self._elements(rest, self._rank - 1, self._axis - 1 if self._axis is not None else None)
        rows = xp.reshape(rows, (shape[0],) + (1,) * len(rest))
        return mix(xp.expand_dims(elements, axis=0) ^ rows)

    def _elements(self, rest: tuple[int, ...], rank: int, axis: int | None) -> Array:
        """Mixed element numbers, channel-last whatever the layout. rank, axis: of one sample."""
        extra = len(rest) - rank
        moved = axis + extra if axis is not None and extra in (0, 1) else len(rest) - 1
        return self._backend.mix(self._backend.asarray(_numbers(rest, moved)))

    def _unit(self, bits: Array) -> Array:
        xp = self._backend.xp
        return xp.astype(xp.bitwise_right_shift(bits, 8) & 0xFFFFFF, xp.float32) * 2.0**-24
