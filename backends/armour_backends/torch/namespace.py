"""The array API names over torch: its own functions wherever these mean the same, thin ones where they do not.

Functions that make tensors take `device=`; a backend's `xp` is this module with its own device filled in (`on`).
"""

# A namespace shadows builtins by its nature, and imports what it does not use.
# ruff: noqa: F401

import builtins
import functools
import math
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from array_api_compat.torch import isdtype, result_type
from torch import (
    abs,
    acos,
    atanh,
    bitwise_and,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    bool,
    broadcast_to,
    ceil,
    cos,
    exp,
    expm1,
    float16,
    float32,
    float64,
    floor,
    floor_divide,
    full_like,
    int32,
    int64,
    isfinite,
    isinf,
    isnan,
    log,
    log1p,
    logical_not,
    matmul,
    moveaxis,
    ones,
    ones_like,
    pow,
    remainder,
    reshape,
    round,
    sin,
    sqrt,
    square,
    stack,
    tan,
    tanh,
    tile,
    trunc,
    uint8,
    where,
    zeros,
    zeros_like,
)
from torch import permute as permute_dims

Array = Any
Axes = int | tuple[int, ...] | None

inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None

_MAKERS = ("zeros", "ones", "full", "arange", "eye", "linspace")
_NARROW = frozenset({torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32})  # these sum to int64


@functools.cache
def on(device: str) -> ModuleType:
    """This module, its creation functions bound to one device."""
    here = sys.modules[__name__]
    bound = ModuleType(f"{__name__}[{device}]", here.__doc__)
    bound.__dict__.update({name: value for name, value in vars(here).items() if not name.startswith("__")})
    for name in _MAKERS:
        setattr(bound, name, functools.partial(getattr(here, name), device=torch.device(device)))
    return bound


# ---- creation
def full(shape: int | Sequence[int], fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """A constant tensor."""
    return torch.full((shape,) if isinstance(shape, int) else tuple(shape), fill_value, dtype=dtype, device=device)


def arange(
    start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None
) -> Array:
    """int64 for ints, float32 for floats, unless said; empty where the step leads away."""
    if stop is None:
        start, stop = 0, start
    if (stop - start) * step < 0:
        stop = start
    return torch.arange(start, stop, step, dtype=dtype, device=device)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Array:
    """Ones on the k-th diagonal."""
    n_cols = n_rows if n_cols is None else n_cols
    x = torch.zeros((n_rows, n_cols), dtype=dtype, device=device)
    if -n_rows < k < n_cols:
        x.diagonal(k).fill_(1)
    return x


def linspace(
    start: float, stop: float, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: builtins.bool = True
) -> Array:
    """`num` evenly spaced numbers."""
    if endpoint:
        return torch.linspace(start, stop, num, dtype=dtype, device=device)
    return torch.linspace(start, stop, num + 1, dtype=dtype, device=device)[:num]


# ---- element by element
def sign(x: Array, /) -> Array:
    """-1, 0 or 1; not a number stays so (torch alone says 0)."""
    if not x.is_floating_point():
        return torch.sign(x)
    # held between its sign and its sign, NaN stays; a mask and a selection cost four times as much
    signs = torch.sign(x)
    return torch.clamp(x.detach(), signs, signs)


def maximum(x1: Any, x2: Any, /) -> Array:
    """The larger one; one of the two may be a Python number."""
    if isinstance(x2, torch.Tensor):
        return torch.maximum(x1, x2) if isinstance(x1, torch.Tensor) else torch.clamp(x2, min=x1)
    return torch.clamp(x1, min=x2)


def minimum(x1: Any, x2: Any, /) -> Array:
    """The smaller one; one of the two may be a Python number."""
    if isinstance(x2, torch.Tensor):
        return torch.minimum(x1, x2) if isinstance(x1, torch.Tensor) else torch.clamp(x2, max=x1)
    return torch.clamp(x1, max=x2)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Either bound may be None, a number or a tensor."""
    if isinstance(min, torch.Tensor) is isinstance(max, torch.Tensor) and min is not None and max is not None:
        return torch.clamp(x, min, max)
    if min is not None:
        x = torch.clamp(x, min=min)
    return x if max is None else torch.clamp(x, max=max)


def _logical(f: Any) -> Any:
    def logical(x1: Any, x2: Any, /) -> Array:
        """Of two bool tensors, one of which may be a Python bool."""
        if not isinstance(x1, torch.Tensor):
            x1 = torch.full((), x1, dtype=torch.bool, device=x2.device)
        elif not isinstance(x2, torch.Tensor):
            x2 = torch.full((), x2, dtype=torch.bool, device=x1.device)
        return f(x1, x2)

    return logical


logical_and, logical_or, logical_xor = map(_logical, (torch.logical_and, torch.logical_or, torch.logical_xor))


# ---- reductions. torch reads axis=() as "all axes"; the standard as "none"
def sum(x: Array, /, *, axis: Axes = None, dtype: Any = None, keepdims: builtins.bool = False) -> Array:
    """Small integers and bools add up in int64."""
    if axis == ():
        return x.to(dtype or (torch.int64 if x.dtype in _NARROW else x.dtype))
    return torch.sum(x, axis, keepdims, dtype=dtype)


def prod(x: Array, /, *, axis: Axes = None, dtype: Any = None, keepdims: builtins.bool = False) -> Array:
    """Small integers and bools multiply in int64."""
    if axis is None:
        axis = tuple(range(x.ndim))
    if isinstance(axis, int):
        return torch.prod(x, axis, keepdims, dtype=dtype)
    x = x.to(dtype or (torch.int64 if x.dtype in _NARROW else x.dtype))
    for a in sorted((a % x.ndim for a in axis), reverse=True):
        x = torch.prod(x, a, keepdims)
    return x


def mean(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """Of floating-point tensors."""
    return x if axis == () else torch.mean(x, axis, keepdims)


def var(x: Array, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    """Divides by the count less `correction`."""
    if axis == ():
        return torch.zeros_like(x)
    return torch.var(x, axis, correction=correction, keepdim=keepdims)


def std(x: Array, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    """Square root of `var`."""
    if axis == ():
        return torch.zeros_like(x)
    return torch.std(x, axis, correction=correction, keepdim=keepdims)


def max(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """The largest; gradients are shared by equals."""
    return x if axis == () else torch.amax(x, () if axis is None else axis, keepdims)


def min(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """The smallest; gradients are shared by equals."""
    return x if axis == () else torch.amin(x, () if axis is None else axis, keepdims)


def any(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """Whether one is true."""
    x = x if x.dtype is torch.bool else x.to(torch.bool)  # torch answers uint8 for uint8
    return torch.any(x, axis, keepdims) if axis is not None or keepdims else torch.any(x)


def all(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """Whether none is false."""
    x = x if x.dtype is torch.bool else x.to(torch.bool)
    return torch.all(x, axis, keepdims) if axis is not None or keepdims else torch.all(x)


def argmax(x: Array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Array:
    """int64; the first of equals."""
    return torch.argmax(x, axis, keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Array:
    """int64; the first of equals."""
    return torch.argmin(x, axis, keepdims)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> Array:
    """Running sums; `axis` may be left out for vectors only. include_initial: with a leading zero."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative_sum of a {x.ndim}-dimensional tensor needs axis=")
    axis = -1 if axis is None else axis
    sums = torch.cumsum(x, axis, dtype=dtype)
    if not include_initial:
        return sums
    shape = list(sums.shape)
    shape[axis] = 1
    return torch.concat([sums.new_zeros(shape), sums], axis)


# ---- shape
def expand_dims(x: Array, /, *, axis: int = 0) -> Array:
    """A new axis of length one."""
    return torch.unsqueeze(x, axis)


def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Drops axes of length one; any other is an error (torch alone keeps it in silence)."""
    for a in (axis,) if isinstance(axis, int) else axis:
        if x.shape[a] != 1:
            raise ValueError(f"squeeze: axis {a} of {tuple(x.shape)} is not of length one")
    return torch.squeeze(x, axis)


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Joined along `axis`; None: flattened first."""
    if axis is None:
        return torch.concat([torch.flatten(x) for x in arrays])
    return torch.concat(tuple(arrays), axis)


def flip(x: Array, /, *, axis: Axes = None) -> Array:
    """Reversed along the axes; None: all."""
    if axis is None:
        axis = tuple(range(x.ndim))
    return torch.flip(x, (axis,) if isinstance(axis, int) else axis)


def roll(x: Array, /, shift: int | tuple[int, ...], *, axis: Axes = None) -> Array:
    """Shifted around; axis None: as one flat row."""
    return torch.roll(x, shift) if axis is None else torch.roll(x, shift, axis)


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each element so many times; axis None: flattened first."""
    return torch.repeat_interleave(x, repeats, axis)


# ---- looking up and ordering
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The entries at a vector of indices >= 0 along `axis` (may be left out for vectors)."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take from a {x.ndim}-dimensional tensor needs axis=")
        axis = 0
    return torch.index_select(x, axis, indices)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """For each position along the other axes, its own indices along `axis`."""
    return torch.take_along_dim(x, indices if indices.dtype is torch.int64 else indices.to(torch.int64), axis)


def sort(x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """Sorted values."""
    return torch.sort(x, dim=axis, descending=descending, stable=stable).values


def argsort(x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """int64 indices that sort; equals keep their order, in either direction."""
    return torch.argsort(x, dim=axis, descending=descending, stable=stable)


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """int64: where in the sorted vector x1 the values of x2 belong."""
    return torch.searchsorted(x1.contiguous(), x2.contiguous(), side=side, sorter=sorter)


# ---- linear algebra
def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """Contraction over the last and first `axes`, or over two lists of axes."""
    return torch.tensordot(x1, x2, axes)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Dot product along one axis."""
    if x1.is_floating_point():
        return torch.linalg.vecdot(x1, x2, dim=axis)
    product = x1 * x2
    return torch.sum(product, axis, dtype=product.dtype)


def matrix_transpose(x: Array, /) -> Array:
    """The last two axes swapped."""
    return torch.transpose(x, -2, -1)


# ---- types
def astype(x: Array, dtype: Any, /) -> Array:
    """`x` in `dtype`; not copied where nothing changes, since neutral code never writes into a tensor."""
    return x.to(dtype)


def finfo(type: Any, /) -> torch.finfo:
    """Limits of a floating dtype, or of a tensor's."""
    return torch.finfo(type.dtype if isinstance(type, torch.Tensor) else type)
