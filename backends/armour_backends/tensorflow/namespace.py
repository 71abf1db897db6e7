"""The array API names over plain `tf.*`, eager and inside tf.function, for static shapes.

`tf.raw_ops` where an operation means the same already: the Python layer above it costs as much as a small kernel.
Python numbers take the dtype of the tensor beside them. A backend's `xp` is this module, or, on a device that
TensorFlow would not choose by itself, a copy whose functions run there (`on`).
uint8 is for storage: it moves, compares and casts, and little else has kernels for it.
"""

# A namespace shadows builtins by its nature.

import builtins
import functools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from armour_backends.tensorflow.load import tf

Array = Any
Axes = int | tuple[int, ...] | None

raw = tf.raw_ops
float16, float32, float64 = tf.float16, tf.float32, tf.float64
int32, int64, uint8, bool = tf.int32, tf.int64, tf.uint8, tf.bool
inf, nan, pi, e, newaxis = math.inf, math.nan, math.pi, math.e, None

_SUMS = dict.fromkeys((tf.bool, tf.int8, tf.int16, tf.int32), tf.int64)
_SUMS |= dict.fromkeys((tf.uint8, tf.uint16, tf.uint32), tf.uint64)
_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def on(device: str) -> ModuleType:
    """This module for another device than TensorFlow's own choice: every function runs in its scope."""
    here = sys.modules[__name__]
    bound = ModuleType(f"{__name__}[{device}]", here.__doc__)

    def there(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def run(*args: Any, **kwargs: Any) -> Any:
            with tf.device(device):
                return f(*args, **kwargs)

        return run

    for name, value in vars(here).items():
        if not name.startswith("_"):
            setattr(bound, name, there(value) if isinstance(value, FunctionType) else value)
    return bound


# ---- creation
def zeros(shape: int | Sequence[int], *, dtype: Any = None) -> Array:
    """float32 unless said."""
    return tf.zeros(_shape(shape), dtype or tf.float32)


def ones(shape: int | Sequence[int], *, dtype: Any = None) -> Array:
    """float32 unless said."""
    return tf.ones(_shape(shape), dtype or tf.float32)


def full(shape: int | Sequence[int], fill_value: Any, *, dtype: Any = None) -> Array:
    """int64, bool or float32, as the value, unless said."""
    if dtype is None:
        dtype = (
            tf.bool
            if isinstance(fill_value, builtins.bool)
            else tf.int64
            if isinstance(fill_value, int)
            else tf.float32
        )
    return tf.fill(_shape(shape), tf.constant(fill_value, dtype))


def zeros_like(x: Array, /, *, dtype: Any = None) -> Array:
    """Zeros of x's shape."""
    return raw.ZerosLike(x=x) if dtype in (None, x.dtype) else tf.zeros(x.shape, dtype)


def ones_like(x: Array, /, *, dtype: Any = None) -> Array:
    """Ones of x's shape."""
    return raw.OnesLike(x=x) if dtype in (None, x.dtype) else tf.ones(x.shape, dtype)


def full_like(x: Array, /, fill_value: Any, *, dtype: Any = None) -> Array:
    """A constant of x's shape."""
    return tf.fill(x.shape, tf.constant(fill_value, dtype or x.dtype))


def arange(start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None) -> Array:
    """int64 for ints, float32 for floats, unless said."""
    if stop is None:
        start, stop = 0, start
    whole = builtins.all(isinstance(v, int) for v in (start, stop, step))
    kind = tf.int64 if whole else tf.float32
    if (stop - start) * step <= 0:
        return tf.zeros((0,), dtype or kind)
    if dtype in _RANGES:
        return tf.range(start, stop, step, dtype=dtype)
    return astype(tf.range(start, stop, step, dtype=kind), dtype or kind)


_RANGES = (tf.int32, tf.int64, tf.float32, tf.float64)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None) -> Array:
    """Ones on the k-th diagonal; float32 unless said."""
    dtype = dtype or tf.float32
    return tf.constant(np.eye(n_rows, n_cols, k, dtype=dtype.as_numpy_dtype))


def linspace(start: float, stop: float, /, num: int, *, dtype: Any = None, endpoint: builtins.bool = True) -> Array:
    """`num` evenly spaced numbers; float32 unless said."""
    dtype = dtype or tf.float32
    return tf.constant(np.linspace(start, stop, num, endpoint=endpoint, dtype=dtype.as_numpy_dtype))


def _shape(shape: int | Sequence[int]) -> Any:
    return (shape,) if isinstance(shape, int) else shape


# ---- element by element
def abs(x: Array, /) -> Array:
    """Absolute value."""
    return x if x.dtype.is_unsigned else raw.Abs(x=x)


def sign(x: Array, /) -> Array:
    """-1, 0, 1; not a number stays so."""
    return raw.Sign(x=x)


def sqrt(x: Array, /) -> Array:
    """Square root."""
    return raw.Sqrt(x=x)


def square(x: Array, /) -> Array:
    """x * x."""
    return raw.Square(x=x)


def exp(x: Array, /) -> Array:
    """e to the x."""
    return raw.Exp(x=x)


def expm1(x: Array, /) -> Array:
    """exp(x) - 1, exact near 0."""
    return raw.Expm1(x=x)


def log(x: Array, /) -> Array:
    """Natural logarithm."""
    return raw.Log(x=x)


def log1p(x: Array, /) -> Array:
    """log(1 + x), exact near 0."""
    return raw.Log1p(x=x)


def sin(x: Array, /) -> Array:
    """Sine."""
    return raw.Sin(x=x)


def cos(x: Array, /) -> Array:
    """Cosine."""
    return raw.Cos(x=x)


def tan(x: Array, /) -> Array:
    """Tangent."""
    return raw.Tan(x=x)


def tanh(x: Array, /) -> Array:
    """Hyperbolic tangent."""
    return raw.Tanh(x=x)


def atanh(x: Array, /) -> Array:
    """Inverse hyperbolic tangent."""
    return raw.Atanh(x=x)


def acos(x: Array, /) -> Array:
    """Inverse cosine."""
    return raw.Acos(x=x)


def floor(x: Array, /) -> Array:
    """Rounded down."""
    return raw.Floor(x=x) if x.dtype.is_floating else x


def ceil(x: Array, /) -> Array:
    """Rounded up."""
    return raw.Ceil(x=x) if x.dtype.is_floating else x


def round(x: Array, /) -> Array:
    """To the nearest, halves to even."""
    return raw.Round(x=x) if x.dtype.is_floating else x


def trunc(x: Array, /) -> Array:
    """Rounded toward zero."""
    return raw.SelectV2(condition=x < 0, t=raw.Ceil(x=x), e=raw.Floor(x=x)) if x.dtype.is_floating else x


def isfinite(x: Array, /) -> Array:
    """Neither infinite nor NaN."""
    return raw.IsFinite(x=x) if x.dtype.is_floating else tf.ones(x.shape, tf.bool)


def isnan(x: Array, /) -> Array:
    """Not a number."""
    return raw.IsNan(x=x) if x.dtype.is_floating else tf.zeros(x.shape, tf.bool)


def isinf(x: Array, /) -> Array:
    """Infinite."""
    return raw.IsInf(x=x) if x.dtype.is_floating else tf.zeros(x.shape, tf.bool)


def pow(x1: Any, x2: Any, /) -> Array:
    """x1 to the x2."""
    x1, x2 = _pair(x1, x2)
    return raw.Pow(x=x1, y=x2)


def maximum(x1: Any, x2: Any, /) -> Array:
    """The larger one; not a number wins."""
    x1, x2 = _pair(x1, x2)
    return raw.Maximum(x=x1, y=x2)


def minimum(x1: Any, x2: Any, /) -> Array:
    """The smaller one; not a number wins."""
    x1, x2 = _pair(x1, x2)
    return raw.Minimum(x=x1, y=x2)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Either bound may be None, a number or a tensor."""
    if isinstance(min, int | float) and isinstance(max, int | float):
        return raw.ClipByValue(t=x, clip_value_min=min, clip_value_max=max)
    if min is not None:
        x = raw.Maximum(x=x, y=min)
    return x if max is None else raw.Minimum(x=x, y=max)


def remainder(x1: Any, x2: Any, /) -> Array:
    """With the sign of x2, as in Python."""
    x1, x2 = _pair(x1, x2)
    return raw.FloorMod(x=x1, y=x2)


def floor_divide(x1: Any, x2: Any, /) -> Array:
    """Rounded down, as in Python: from the remainder, since the floor of a rounded quotient can be one too high."""
    x1, x2 = _pair(x1, x2)
    if not (x1.dtype if isinstance(x1, tf.Tensor) else x2.dtype).is_floating:
        return raw.FloorDiv(x=x1, y=x2)
    return raw.Round(x=(x1 - raw.FloorMod(x=x1, y=x2)) / x2)


def logical_and(x1: Any, x2: Any, /) -> Array:
    """Of bool tensors."""
    return raw.LogicalAnd(x=x1, y=x2)


def logical_or(x1: Any, x2: Any, /) -> Array:
    """Of bool tensors."""
    return raw.LogicalOr(x=x1, y=x2)


def logical_xor(x1: Any, x2: Any, /) -> Array:
    """Of bool tensors."""
    return raw.NotEqual(x=tf.convert_to_tensor(x1, tf.bool), y=x2)


def logical_not(x: Array, /) -> Array:
    """Of a bool tensor."""
    return raw.LogicalNot(x=x)


def bitwise_and(x1: Any, x2: Any, /) -> Array:
    """Of integers or bools."""
    x1, x2 = _pair(x1, x2)
    return raw.LogicalAnd(x=x1, y=x2) if x1.dtype == tf.bool else raw.BitwiseAnd(x=x1, y=x2)


def bitwise_or(x1: Any, x2: Any, /) -> Array:
    """Of integers or bools."""
    x1, x2 = _pair(x1, x2)
    return raw.LogicalOr(x=x1, y=x2) if x1.dtype == tf.bool else raw.BitwiseOr(x=x1, y=x2)


def bitwise_xor(x1: Any, x2: Any, /) -> Array:
    """Of integers or bools."""
    x1, x2 = _pair(x1, x2)
    return raw.NotEqual(x=x1, y=x2) if x1.dtype == tf.bool else raw.BitwiseXor(x=x1, y=x2)


def bitwise_left_shift(x1: Any, x2: Any, /) -> Array:
    """By fewer bits than the type has."""
    x1, x2 = _pair(x1, x2)
    return raw.LeftShift(x=x1, y=x2)


def bitwise_right_shift(x1: Any, x2: Any, /) -> Array:
    """Arithmetic on signed integers: the sign is kept."""
    x1, x2 = _pair(x1, x2)
    return raw.RightShift(x=x1, y=x2)


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """x1 where the condition holds, else x2; one or both may be Python numbers."""
    if isinstance(x1, int | float):
        x1 = tf.constant(x1, None if isinstance(x2, int | float) else x2.dtype)
    return raw.SelectV2(condition=condition, t=x1, e=x2)


def _pair(x1: Any, x2: Any) -> tuple[Any, Any]:
    """A leading number becomes a tensor; a trailing one takes the dtype by itself."""
    return (tf.constant(x1, x2.dtype), x2) if isinstance(x1, int | float) else (x1, x2)


# ---- reductions
def sum(x: Array, /, *, axis: Axes = None, dtype: Any = None, keepdims: builtins.bool = False) -> Array:
    """Small integers and bools add up in 64 bits."""
    return raw.Sum(input=astype(x, dtype or _SUMS.get(x.dtype, x.dtype)), axis=_axes(x, axis), keep_dims=keepdims)


def prod(x: Array, /, *, axis: Axes = None, dtype: Any = None, keepdims: builtins.bool = False) -> Array:
    """Small integers and bools multiply in 64 bits."""
    return raw.Prod(input=astype(x, dtype or _SUMS.get(x.dtype, x.dtype)), axis=_axes(x, axis), keep_dims=keepdims)


def mean(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """Of floating-point tensors."""
    return raw.Mean(input=x, axis=_axes(x, axis), keep_dims=keepdims)


def var(x: Array, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    """Divides by the count less `correction`."""
    axes = _axes(x, axis)
    squares = raw.SquaredDifference(x=x, y=raw.Mean(input=x, axis=axes, keep_dims=True))
    total = raw.Sum(input=squares, axis=axes, keep_dims=keepdims)
    count = x.shape[axis] if isinstance(axis, int) else math.prod(x.shape[a] for a in axes)
    return raw.RealDiv(x=total, y=float(builtins.max(count - correction, 0.0)))


def std(x: Array, /, *, axis: Axes = None, correction: float = 0.0, keepdims: builtins.bool = False) -> Array:
    """Square root of `var`."""
    return raw.Sqrt(x=var(x, axis=axis, correction=correction, keepdims=keepdims))


def max(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """The largest; gradients are shared by equals."""
    return raw.Max(input=x, axis=_axes(x, axis), keep_dims=keepdims)


def min(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """The smallest; gradients are shared by equals."""
    return raw.Min(input=x, axis=_axes(x, axis), keep_dims=keepdims)


def any(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """Whether one is true."""
    return raw.Any(input=astype(x, tf.bool), axis=_axes(x, axis), keep_dims=keepdims)


def all(x: Array, /, *, axis: Axes = None, keepdims: builtins.bool = False) -> Array:
    """Whether none is false."""
    return raw.All(input=astype(x, tf.bool), axis=_axes(x, axis), keep_dims=keepdims)


def argmax(x: Array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Array:
    """int64; the first of equals."""
    return _arg(raw.ArgMax, x, axis, keepdims)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Array:
    """int64; the first of equals."""
    return _arg(raw.ArgMin, x, axis, keepdims)


def cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: builtins.bool = False
) -> Array:
    """Running sums; `axis` may be left out for vectors only. include_initial: with a leading zero."""
    if axis is None and x.shape.rank != 1:
        raise ValueError(f"cumulative_sum of a {x.shape.rank}-dimensional tensor needs axis=")
    axis = -1 if axis is None else axis
    sums = raw.Cumsum(x=astype(x, dtype or _SUMS.get(x.dtype, x.dtype)), axis=axis)
    if not include_initial:
        return sums
    shape = list(sums.shape)
    shape[axis] = 1
    return tf.concat([tf.zeros(shape, sums.dtype), sums], axis)


def _axes(x: Array, axis: Axes) -> Any:
    if isinstance(axis, int):
        return axis
    return _ints(range(x.shape.rank) if axis is None else axis)


def _ints(values: Iterable[int]) -> np.ndarray:
    """Eager TensorFlow takes an array in a third of the time of a list."""
    return np.array([*values], np.int32)


def _arg(op: Any, x: Array, axis: int | None, keepdims: builtins.bool) -> Array:
    if axis is None:
        found = op(input=reshape(x, -1), dimension=0)
        return reshape(found, (1,) * x.shape.rank) if keepdims else found
    found = op(input=x, dimension=axis)
    return raw.ExpandDims(input=found, axis=axis) if keepdims else found


# ---- shape
def reshape(x: Array, /, shape: int | Sequence[int]) -> Array:
    """One length may be -1."""
    return raw.Reshape(tensor=x, shape=_ints((shape,) if isinstance(shape, int) else shape))


def broadcast_to(x: Array, /, shape: Sequence[int]) -> Array:
    """Repeated to a larger shape."""
    return raw.BroadcastTo(input=x, shape=_ints(shape))


def expand_dims(x: Array, /, *, axis: int = 0) -> Array:
    """A new axis of length one."""
    return raw.ExpandDims(input=x, axis=axis)


def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Drops axes of length one."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    return raw.Squeeze(input=x, axis=axes) if axes else x  # TensorFlow reads no axes as all


def permute_dims(x: Array, /, axes: Sequence[int]) -> Array:
    """The axes in another order."""
    return raw.Transpose(x=x, perm=_ints(a % len(axes) for a in axes))


def moveaxis(x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Array:
    """Some axes elsewhere, the others in their order."""
    rank = x.shape.rank
    moved = [s % rank for s in ((source,) if isinstance(source, int) else source)]
    places = [d % rank for d in ((destination,) if isinstance(destination, int) else destination)]
    order = [a for a in range(rank) if a not in moved]
    for place, axis in sorted(zip(places, moved)):
        order.insert(place, axis)
    return raw.Transpose(x=x, perm=_ints(order))


def matrix_transpose(x: Array, /) -> Array:
    """The last two axes swapped."""
    return moveaxis(x, -1, -2)


def concat(arrays: Sequence[Array], /, *, axis: int | None = 0) -> Array:
    """Joined along `axis`; None: flattened first."""
    if axis is None:
        return tf.concat([reshape(x, -1) for x in arrays], 0)
    return tf.concat(arrays, axis)


def stack(arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
    """Joined along a new axis."""
    return raw.Pack(values=arrays, axis=axis)


def flip(x: Array, /, *, axis: Axes = None) -> Array:
    """Reversed along the axes; None: all."""
    return raw.ReverseV2(tensor=x, axis=_axes(x, (axis,) if isinstance(axis, int) else axis))


def roll(x: Array, /, shift: int | tuple[int, ...], *, axis: Axes = None) -> Array:
    """Shifted around; axis None: as one flat row."""
    if axis is None:
        return reshape(tf.roll(reshape(x, -1), shift, 0), x.shape)
    if not isinstance(axis, int) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return tf.roll(x, shift, axis)


def tile(x: Array, repetitions: Sequence[int], /) -> Array:
    """The whole, so many times along each axis."""
    repetitions = tuple(repetitions)
    rank = builtins.max(x.shape.rank, len(repetitions))
    x = reshape(x, (*(1,) * (rank - x.shape.rank), *x.shape))
    return raw.Tile(input=x, multiples=_ints((*(1,) * (rank - len(repetitions)), *repetitions)))


def repeat(x: Array, repeats: Any, /, *, axis: int | None = None) -> Array:
    """Each element so many times; axis None: flattened first."""
    if axis is None:
        x, axis = reshape(x, -1), 0
    if not isinstance(repeats, int):
        return tf.repeat(x, repeats, axis)
    axis %= x.shape.rank
    shape = list(x.shape)  # by hand: tf.repeat forgets static shapes
    multiples = [1] * (len(shape) + 1)
    multiples[axis + 1] = repeats
    copies = raw.Tile(input=raw.ExpandDims(input=x, axis=axis + 1), multiples=_ints(multiples))
    shape[axis] *= repeats
    return reshape(copies, shape)


# ---- looking up and ordering
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The entries at a vector of indices >= 0 along `axis` (may be left out for vectors)."""
    if axis is None:
        if x.shape.rank != 1:
            raise ValueError(f"take from a {x.shape.rank}-dimensional tensor needs axis=")
        axis = 0
    return raw.GatherV2(params=x, indices=indices, axis=axis % x.shape.rank)


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """For each position along the other axes, its own indices along `axis`."""
    rank, last = x.shape.rank, x.shape.rank - 1
    axis %= rank
    if axis != last:  # batch_dims wants the other axes first
        found = take_along_axis(moveaxis(x, axis, -1), moveaxis(indices, axis, -1))
        return moveaxis(found, -1, axis)
    ours, theirs = list(x.shape[:-1]), list(indices.shape[:-1])
    if ours != theirs:
        common = list(np.broadcast_shapes(ours, theirs))
        x = broadcast_to(x, (*common, x.shape[-1]))
        indices = broadcast_to(indices, (*common, indices.shape[-1]))
    return raw.GatherV2(params=x, indices=indices, axis=last, batch_dims=last)


def sort(x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """Sorted values."""
    return tf.sort(x, axis, "DESCENDING" if descending else "ASCENDING")


def argsort(x: Array, /, *, axis: int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Array:
    """int64 indices that sort; equals keep their order, in either direction (top_k does so)."""
    x = astype(x, tf.int32) if x.dtype == tf.bool else x
    return raw.Cast(x=tf.argsort(x, axis, "DESCENDING" if descending else "ASCENDING", stable=True), DstT=tf.int64)


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """int64: where in the sorted vector x1 the values of x2 belong."""
    if sorter is not None:
        x1 = take(x1, sorter)
    if 0 in x1.shape or 0 in x2.shape:  # TensorFlow reshapes by -1 there, which emptiness leaves open
        return tf.zeros(x2.shape, tf.int64)
    places = tf.searchsorted(x1, reshape(x2, -1), side=side, out_type=tf.int64)
    return reshape(places, x2.shape)


# ---- linear algebra
def matmul(x1: Array, x2: Array, /) -> Array:
    """Matrix product; leading axes are batches, vectors count as rows on the left, as columns on the right."""
    left, right = x1.shape.rank, x2.shape.rank
    if left == 2 and right == 2:
        return raw.MatMul(a=x1, b=x2)
    x1 = raw.ExpandDims(input=x1, axis=0) if left == 1 else x1
    x2 = raw.ExpandDims(input=x2, axis=1) if right == 1 else x2
    product = raw.BatchMatMulV2(x=x1, y=x2)
    gone = [-2] * (left == 1) + [-1] * (right == 1)
    return raw.Squeeze(input=product, axis=gone) if gone else product


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """Contraction over the last and first `axes`, or over two lists of axes."""
    return tf.tensordot(x1, x2, axes)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """Dot product along one axis."""
    return raw.Sum(input=x1 * x2, axis=axis)


# ---- types
class Limits(NamedTuple):
    """What `finfo` tells."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


def finfo(type: Any, /) -> Limits:
    """Limits of a floating dtype, or of a tensor's, as Python floats."""
    dtype = type if isinstance(type, tf.DType) else type.dtype
    limits = ml_dtypes.finfo(dtype.as_numpy_dtype)  # NumPy's knows no bfloat16
    return Limits(
        limits.bits, float(limits.eps), float(limits.max), float(limits.min), float(limits.smallest_normal), dtype
    )


def astype(x: Array, dtype: Any, /) -> Array:
    """`x` in `dtype`; not copied where nothing changes, since neutral code never writes into a tensor."""
    return x if x.dtype == dtype else raw.Cast(x=x, DstT=dtype)


def isdtype(dtype: Any, kind: Any) -> builtins.bool:
    """Whether `dtype` is of a kind ("integral"), is a dtype, or any of a tuple of these."""
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    if not isinstance(kind, str):
        return dtype == kind
    letter = "f" if dtype == tf.bfloat16 else np.dtype(dtype.as_numpy_dtype).kind
    return letter in _KINDS[kind]


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that a mixture has by the standard's table. TensorFlow itself never mixes: cast to it."""
    known = [
        tf.as_dtype(getattr(a, "dtype", a)).as_numpy_dtype for a in arrays_and_dtypes if not isinstance(a, int | float)
    ]
    numbers = [a for a in arrays_and_dtypes if isinstance(a, int | float)]
    return tf.as_dtype(np.result_type(*known, *numbers))
