"""The hash behind `armour_core.rng` in uint32, where the shifts are logical, in blocks that stay in the cache.

A draw as large as a batch would otherwise spend most of its time on memory fresh from the system.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any

_BLOCK = 1 << 16


def mix(bits: Array) -> Array:
    """lowbias32 on int32 arrays; the same bits as `armour_core.rng.mix`."""
    # asarray: arithmetic on 0-d arrays gives scalars. astype: NumPy 1.x makes their sums and products int64
    x = np.asarray(bits).astype(np.int32).view(np.uint32)
    _mix(x, np.empty_like(x))
    return x.view(np.int32)


def unit(rows: Array, elements: Array) -> Array:
    """float32 in [0, 1): the upper 24 bits of mix(rows ^ elements); int32 (N, 1, ...) and (1, ...), or an int."""
    return _by_blocks(_unit, (rows, elements))


def normal(radius: tuple[Array, Array], angle: tuple[Array, Array]) -> Array:
    """Standard normal, by Box-Muller from two pairs such as `unit` takes."""
    return _by_blocks(_box_muller, radius, angle)


def _by_blocks(fill: Callable[..., None], *parts: tuple[Array, Array]) -> Array:
    """`fill(out, x, spare)` for each block, where x holds rows ^ elements of each of the parts, all of one shape."""
    shape = np.broadcast_shapes(*(np.shape(p) for p in parts[0]))
    pairs = [(_words(rows).reshape(-1, 1), _words(elements).reshape(1, -1)) for rows, elements in parts]
    (rows, elements) = pairs[0]
    out = np.empty((rows.size, elements.size), np.float32)
    width = min(elements.size, _BLOCK)
    height = min(rows.size, _BLOCK // max(1, width))
    buffers = np.empty((len(pairs) + 1, height * width), np.uint32)
    for top in range(0, rows.size, max(1, height)):
        for left in range(0, elements.size, max(1, width)):
            block = out[top : top + height, left : left + width]
            *x, spare = buffers[:, : block.size].reshape(-1, *block.shape)
            for (rows, elements), words in zip(pairs, x):
                np.bitwise_xor(rows[top : top + height], elements[:, left : left + width], out=words)
            fill(block, x, spare)
    return out.reshape(shape)


def _unit(out: np.ndarray, x: list[np.ndarray], spare: np.ndarray) -> None:
    _mix(x[0], spare)
    x[0] >>= np.uint32(8)
    # viewed as int32: unsigned numbers become floats far more slowly
    np.multiply(x[0].view(np.int32), np.float32(2.0**-24), out=out, casting="unsafe", dtype=np.float32)


def _box_muller(out: np.ndarray, x: list[np.ndarray], spare: np.ndarray) -> None:
    radius, angle = (words.view(np.float32) for words in x)
    _unit(radius, x[:1], spare)
    _unit(angle, x[1:], spare)
    radius += np.float32(2.0**-25)  # never log(0)
    np.log(radius, out=radius)
    radius *= np.float32(-2.0)
    np.sqrt(radius, out=radius)
    angle *= np.float32(2.0 * math.pi)
    np.cos(angle, out=angle)
    np.multiply(radius, angle, out=out)


def _mix(x: np.ndarray, spare: np.ndarray) -> None:
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        np.right_shift(x, np.uint32(shift), out=spare)
        np.bitwise_xor(x, spare, out=x)
        np.multiply(x, np.uint32(factor), out=x)
    np.right_shift(x, np.uint32(16), out=spare)
    np.bitwise_xor(x, spare, out=x)


def _words(bits: Array) -> np.ndarray:
    return np.asarray(bits, dtype=np.int32).view(np.uint32)
