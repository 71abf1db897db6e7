"""The array API names over NumPy 1.26 and 2.x: its own functions, and a few lines where a name or keyword is newer."""

# A namespace shadows builtins by its nature, and imports what it does not use.
# ruff: noqa: F401, F811

import builtins
from typing import Any

import numpy as np
from numpy import (
    abs,
    all,
    any,
    arange,
    argmax,
    argmin,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    broadcast_to,
    cos,
    e,
    exp,
    expm1,
    eye,
    flip,
    float16,
    float32,
    float64,
    floor_divide,
    full,
    full_like,
    inf,
    int32,
    int64,
    isfinite,
    isinf,
    isnan,
    linspace,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    moveaxis,
    nan,
    newaxis,
    ones,
    ones_like,
    pi,
    prod,
    remainder,
    repeat,
    reshape,
    result_type,
    roll,
    round,
    searchsorted,
    sign,
    sin,
    sqrt,
    square,
    squeeze,
    stack,
    sum,
    take,
    tan,
    tanh,
    tile,
    uint8,
    where,
    zeros,
    zeros_like,
)
from numpy import arccos as acos
from numpy import arctanh as atanh
from numpy import bool_ as bool
from numpy import concatenate as concat
from numpy import left_shift as bitwise_left_shift
from numpy import power as pow
from numpy import right_shift as bitwise_right_shift
from numpy import transpose as permute_dims

Array = Any
Axes = int | tuple[int, ...] | None

_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def astype(x: Array, dtype: Any, /, *, copy: builtins.bool = False) -> Array:
    """`x` in `dtype`; not copied where nothing changes, since neutral code never writes into a tensor."""
    return np.asarray(x).astype(dtype, copy=copy)


def isdtype(dtype: Any, kind: Any) -> builtins.bool:
    """Whether `dtype` is of a kind ("integral"), is a dtype, or any of a tuple of these."""
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    dtype = np.dtype(dtype)
    return dtype.kind in _KINDS[kind] if isinstance(kind, str) else dtype == np.dtype(kind)


def finfo(type: Any, /) -> Any:
    """Limits of a floating dtype, or of an array's."""
    return np.finfo(type.dtype if isinstance(type, np.ndarray | np.generic) else type)


def floor(x: Array, /) -> Array:
    """Integers stay what they are (NumPy before 2.1 makes them float64)."""
    return x if x.dtype.kind in "iu" else np.floor(x)


def ceil(x: Array, /) -> Array:
    """Integers stay what they are."""
    return x if x.dtype.kind in "iu" else np.ceil(x)


def trunc(x: Array, /) -> Array:
    """Integers stay what they are."""
    return x if x.dtype.kind in "iu" else np.trunc(x)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Either bound may be None, a number or an array."""
    return x if min is None and max is None else np.clip(x, min, max)


def var(x: Array, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    """Divides by the count less `correction`."""
    return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)  # type: ignore[call-overload]


def std(x: Array, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    """Square root of `var`."""
    return np.std(x, axis=axis, ddof=correction, keepdims=keepdims)  # type: ignore[call-overload]


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> Array:
    """Running sums; `axis` may be left out for vectors only. include_initial: with a leading zero."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative_sum of a {x.ndim}-dimensional array needs axis=")
    axis = -1 if axis is None else axis
    sums = np.cumsum(x, axis=axis, dtype=dtype)
    if not include_initial:
        return sums
    shape = list(sums.shape)
    shape[axis] = 1
    return np.concatenate([np.zeros(shape, sums.dtype), sums], axis)


def expand_dims(x: Array, /, *, axis: int | tuple[int, ...] = 0) -> Array:
    """A new axis of length one."""
    return np.expand_dims(x, axis)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """For each position along the other axes, its own indices along `axis`."""
    return np.take_along_axis(x, indices, axis)


def sort(x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """Sorted values."""
    values = np.sort(x, axis=axis, kind="stable" if stable else None)
    return np.flip(values, axis) if descending else values


def argsort(x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """Indices that sort; equals keep their order, in either direction."""
    ahead = np.argsort(np.flip(x, axis) if descending else x, axis=axis, kind="stable" if stable else None)
    return x.shape[axis] - 1 - np.flip(ahead, axis) if descending else ahead


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """Contraction over the last and first `axes`, or over two lists of axes."""
    return np.tensordot(x1, x2, axes)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Dot product along one axis."""
    product = np.multiply(x1, x2)
    return np.sum(product, axis=axis, dtype=product.dtype)


def matrix_transpose(x: Array, /) -> Array:
    """The last two axes swapped."""
    return np.swapaxes(x, -1, -2)
