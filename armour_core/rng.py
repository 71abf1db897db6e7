"""Counter-based random numbers: the same bits on every backend, whatever the batch, the order, the chunk or the layout.

A draw is a hash of (seed, stream, round, step, site, sample, element) in wrapping int32 arithmetic, which every backend
has. There is no state: a generator is a key, and the site is the how-manyth draw from this very object.
A backend needs only `mix`. It may offer `unit(rows, elements)` and `normal(radius, angle)`, over pairs of such parts:
the same as here in fewer passes over memory.
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
    return Rng(backend, key_of(seed), None)


@functools.lru_cache(maxsize=64)
def _numbers(shape: tuple[int, ...], channel_axis: int) -> np.ndarray:
    """The hash of 0, 1, 2, ... with `channel_axis` running fastest. Nothing of a key is in it, so it is kept."""
    numbers = np.arange(math.prod(shape), dtype=np.uint32) * np.uint32(_GOLDEN & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        numbers ^= numbers >> np.uint32(shift)
        numbers *= np.uint32(factor)
    if shape and channel_axis < len(shape) - 1:
        last = (*shape[:channel_axis], *shape[channel_axis + 1 :], shape[channel_axis])
        numbers = np.moveaxis(numbers.reshape(last), -1, channel_axis)
    return np.ascontiguousarray(numbers).view(np.int32).reshape(shape)


class Rng:
    """Draws keyed by sample. The first axis of every shape is the sample axis; `(N, R, ...)` gives R draws a sample."""

    __slots__ = ("_axis", "_backend", "_index", "_key", "_rank", "_site")

    def __init__(self, backend: Backend, key: Any, index: Array | None, rank: int = 0, channel_axis: int | None = None):
        """key: int, 0-d int32 tensor, or what makes one when first drawn from; index: int32 (N,), or None for shared
        draws; rank and channel_axis: of the batch x.
        """
        self._backend, self._key, self._index, self._rank, self._axis = backend, key, index, rank, channel_axis
        self._site = 0

    def bind(self, index: Array, rank: int, channel_axis: int | None) -> Rng:
        """The same stream, for the samples whose places in the data set are `index`."""
        return Rng(self._backend, self._key, index, rank, channel_axis)

    @property
    def key(self) -> Array:
        """The 0-d int32 key: what compiled code takes as an argument, so that a new seed does not retrace."""
        key = self._known()
        return self._backend.asarray(np.int32(key)) if isinstance(key, int) else key

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
        """float32 in [low, high), 24 bits each (high itself where the sum rounds to it)."""
        unit = self._unit(*self._parts(tuple(shape), self._next_site()))
        if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
            return unit
        return low + (high - low) * unit

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normal float32, by Box-Muller: equal bits in, values within 4e-7 between backends."""
        site, shape = self._next_site(), tuple(shape)
        radius, angle = self._parts(shape, site), self._parts(shape, site, lane=1)
        if fused := getattr(self._backend, "normal", None):
            return fused(radius, angle)
        xp = self._backend.xp
        # 2**-25: never log(0)
        return xp.sqrt(-2.0 * xp.log(self._unit(*radius) + 2.0**-25)) * xp.cos(2.0 * math.pi * self._unit(*angle))

    def integers(self, shape: tuple[int, ...], n: Any) -> Array:
        """int32 in 0 .. n-1; n: 1 to 2**24, an int or a tensor that broadcasts."""
        xp = self._backend.xp
        if isinstance(n, int) and not 1 <= n <= 1 << 24:
            raise ContractError(f"rng.integers: n = {n}. A draw has 24 bits: n is 1 to {1 << 24}.")
        top = n - 1 if isinstance(n, int) else xp.astype(n, xp.int32) - 1
        scale = float(n) if isinstance(n, int) else xp.astype(n, xp.float32)
        scaled = self._unit(*self._parts(tuple(shape), self._next_site())) * scale
        return xp.minimum(xp.astype(xp.floor(scaled), xp.int32), top)  # the largest draw may round up to n

    def permutation(self, shape: tuple[int, ...]) -> Array:
        """int32: a random order of 0 .. shape[-1]-1 along the last axis, each row its own."""
        xp = self._backend.xp
        rows, elements = self._parts(tuple(shape), self._next_site())
        return xp.astype(xp.argsort(self._backend.mix(rows ^ elements), axis=-1, stable=True), xp.int32)

    # ---- the hash
    def _known(self) -> Any:
        if callable(self._key):  # a step that draws nothing pays nothing
            self._key = self._key()
        return self._key

    def _child(self, salt: int, value: Any, index: Array | None) -> Rng:
        key: Any = lambda: self._fold(salt, value)  # noqa: E731
        if isinstance(self._key, int) and isinstance(value, int):
            key = key()
        return Rng(self._backend, key, index, self._rank, self._axis)

    def _fold(self, salt: int, value: Any) -> Any:
        """The next key: bijective in the key and in the value. Ints stay Python's: they cost a device nothing."""
        key = self._known()
        value = mix_int(value ^ salt) if isinstance(value, int) else self._backend.mix(value ^ salt)
        return (
            mix_int(key ^ value) if isinstance(key, int) and isinstance(value, int) else self._backend.mix(key ^ value)
        )

    def _next_site(self) -> int:
        self._site += 1
        return self._site

    def _unit(self, rows: Any, elements: Any) -> Array:
        """float32 in [0, 1): the upper 24 bits of the hash."""
        if fused := getattr(self._backend, "unit", None):
            return fused(rows, elements)
        xp, bits = self._backend.xp, self._backend.mix(rows ^ elements)
        return xp.astype(xp.bitwise_right_shift(bits, 8) & 0xFFFFFF, xp.float32) * 2.0**-24

    def _parts(self, shape: tuple[int, ...], site: int, lane: int = 0) -> tuple[Any, Any]:
        """What to hash together: int32 (N, 1, ...) and (1, ...), or an int for one. Lanes: draws of one site."""
        mix, xp = self._backend.mix, self._backend.xp
        key = self._fold(_SITE, site * 4 + lane)
        if self._index is None:
            return key, mix(self._elements(shape) ^ key)
        if len(shape) == 0 or shape[0] != self._index.shape[0]:
            raise ContractError(
                f"rng: a draw of shape {shape} for {self._index.shape[0]} samples. The first axis is the sample "
                "axis: ask for (N, R, ...) to get R draws a sample, or use rng.shared."
            )
        rows = mix(mix(self._index) ^ key)
        if len(shape) == 1:
            return rows, 0
        return xp.reshape(rows, (shape[0],) + (1,) * (len(shape) - 1)), xp.expand_dims(
            self._elements(shape[1:]), axis=0
        )

    def _elements(self, rest: tuple[int, ...]) -> Array:
        """Hashed element numbers of one sample, channel-last whatever the layout."""
        extra = len(rest) - (self._rank - 1)
        axis = len(rest) if self._axis is None or extra not in (0, 1) else self._axis - 1 + extra
        return self._backend.asarray(_numbers(rest, axis))
