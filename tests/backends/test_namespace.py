"""Every function of every backend's `xp` means what NumPy's means: values, dtypes, shapes, axes, empty and 0-d inputs.

Inputs are what the array API standard promises to accept, so one set serves all backends, array-api-strict included.
TensorFlow is asked twice, eagerly and inside tf.function. Where a backend departs, `DEPARTURES` says so and why.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from armour_core.protocols.backend import NAMESPACE

#: (backend, function, dtype of the input) -> dtype of the result, where it is not NumPy's
DEPARTURES = {
    # torch has no sums in uint64
    ("torch", "sum", "uint8"): "int64",
    ("torch", "prod", "uint8"): "int64",
    ("torch", "cumulative_sum", "uint8"): "int64",
}
NUMPY_1 = np.lib.NumpyVersion(np.__version__) < "2.0.0"  # there 0-d arrays and Python numbers mix to 64 bits
NO_FLOAT16 = {"strict"}  # the standard has no float16; real backends promise it

FLOATS, INTS = ("float32", "float64", "float16"), ("int32", "int64")
REALS = FLOATS + INTS
STORED = (*REALS, "uint8")  # uint8 is storage: it moves, compares, sorts, adds up and casts
ALL = (*STORED, "bool")
EXACT = {"float32", "float64"}  # the dtypes of the neutral subset's own arithmetic, besides integers


class Call(NamedTuple):
    """Arguments with NumPy arrays and `Dtype`s in them; each side replaces these by its own."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = {}


class Dtype(str):
    """The name of a dtype."""

    __slots__ = ()


# ---- inputs


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    sides = st.integers(min_side, 4)
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


def values(
    shape: tuple[int, ...],
    dtype: str,
    seed: int,
    *,
    low: float = -9,
    high: float = 9,
    special: bool = False,
    fine: float = 0.5,
) -> Any:
    """Halves, so that ties occur, and a share of finer numbers; special: also infinities, NaN and both zeros."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith(("int", "uint")):
        return np.asarray(rng.integers(max(low, 0) if dtype == "uint8" else low, high + 1, shape)).astype(dtype)
    halves = rng.integers(2 * low, 2 * high + 1, shape) / 2
    x = np.where(rng.random(shape) < fine, rng.uniform(low, high, shape), halves)
    if special:
        x = np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], shape), x)
    return np.asarray(x).astype(dtype)


@st.composite
def arrays(draw: Any, dtypes: tuple[str, ...] = REALS, shape: Any = None, **kwargs: Any) -> np.ndarray:
    shape = draw(shapes()) if shape is None else draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    return values(shape, draw(st.sampled_from(dtypes)), draw(st.integers(0, 2**32 - 1)), **kwargs)


def axis_of(draw: Any, x: np.ndarray) -> int:
    return draw(st.integers(-x.ndim, x.ndim - 1))


@st.composite
def axes(draw: Any, rank: int) -> Any:
    """None, one axis, or a tuple of them; either sign."""
    some = draw(st.lists(st.integers(0, max(rank - 1, 0)), unique=True, max_size=rank))
    some = [a - rank if draw(st.booleans()) else a for a in some]
    return draw(st.sampled_from([None, tuple(some), *some[:1]]))


def nonempty(min_dims: int = 0) -> Any:
    return shapes(min_dims=min_dims, min_side=1)


# ---- one strategy of calls per function


def unary(dtypes: tuple[str, ...], **kwargs: Any) -> st.SearchStrategy[Call]:
    return arrays(dtypes, **kwargs).map(lambda x: Call((x,)))


@st.composite
def binary(draw: Any, dtypes: tuple[str, ...], second: dict[str, Any] | None = None, **kwargs: Any) -> Call:
    """Two tensors that broadcast, or a tensor and a Python number on either side."""
    x = draw(arrays(dtypes, **kwargs))
    shape = tuple(1 if draw(st.booleans()) else n for n in x.shape[draw(st.integers(0, x.ndim)) :])
    y = values(shape, str(x.dtype), draw(st.integers(0, 99)), **(kwargs if second is None else second))
    form = draw(st.sampled_from(["tensors", "tensors", "swapped", "number second", "number first"]))
    if form == "number second":
        return Call((x, (y.flat[0] if y.size else y.dtype.type(1)).item()))
    if form == "number first":
        return Call(((x.flat[0] if x.size else x.dtype.type(1)).item(), y))
    return Call((y, x) if form == "swapped" and second is None else (x, y))


@st.composite
def clips(draw: Any) -> Call:
    x = draw(arrays(STORED, special=True))
    one, four = (x.dtype.type(v).item() for v in (1, 4))
    lows = [None, one, values(x.shape, str(x.dtype), 0, low=0, high=2), values((), str(x.dtype), 1, low=0, high=2)]
    highs = [None, four, values(x.shape, str(x.dtype), 2, low=3, high=5), values((), str(x.dtype), 3, low=3, high=5)]
    low, high = draw(st.sampled_from(range(4))), draw(st.sampled_from(range(4)))
    return Call((x, lows[low], highs[high]))


@st.composite
def wheres(draw: Any) -> Call:
    x = draw(arrays(ALL, special=True))
    other = values(x.shape[draw(st.integers(0, x.ndim)) :], str(x.dtype), 5)
    condition = values(x.shape if draw(st.booleans()) else x.shape[:1] + (1,) * (x.ndim - 1), "bool", 6)
    number = x.dtype.type(1).item()
    return Call((condition, *draw(st.sampled_from([(x, other), (other, x), (x, number), (number, x)]))))


@st.composite
def reductions(draw: Any, dtypes: tuple[str, ...], shape: Any = None, **kwargs: Any) -> Call:
    x = draw(arrays(dtypes, shape, **kwargs))
    return Call((x,), {"axis": draw(axes(x.ndim)), "keepdims": draw(st.booleans())})


@st.composite
def spreads(draw: Any) -> Call:
    x = draw(arrays(FLOATS, nonempty()))
    axis = draw(axes(x.ndim))
    reduced = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    count = math.prod(x.shape[a] for a in reduced)
    correction = draw(st.sampled_from([0, 0.0, 0.5, 1.0] if count > 1 else [0.0, 0.5]))
    return Call((x,), {"axis": axis, "correction": correction, "keepdims": draw(st.booleans())})


@st.composite
def positions(draw: Any) -> Call:
    x = draw(arrays(STORED, nonempty(), low=-2, high=2))
    axis = draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))
    return Call((x,), {"axis": axis, "keepdims": draw(st.booleans())})


@st.composite
def running_sums(draw: Any) -> Call:
    x = draw(arrays(STORED, shapes(min_dims=1), fine=0))
    axis = draw(st.sampled_from([*range(-x.ndim, x.ndim), *[None] * (x.ndim == 1)]))
    kwargs = {"axis": axis, "include_initial": draw(st.booleans())}
    return Call((x,), kwargs | draw(st.sampled_from([{}, {"dtype": Dtype("float64")}])))


@st.composite
def reshapes(draw: Any) -> Call:
    x = draw(arrays(ALL))
    order = draw(st.permutations(x.shape))
    options = [tuple(order), (x.size,), (1, *order, 1)]
    if x.size:
        options += [(-1,), (*order, -1)]
    return Call((x, draw(st.sampled_from(options))))


@st.composite
def broadcasts(draw: Any) -> Call:
    shape = draw(shapes())
    kept = draw(st.integers(0, len(shape)))
    x = draw(arrays(ALL, tuple(1 if draw(st.booleans()) else n for n in shape[kept:])))
    return Call((x, shape))


@st.composite
def expansions(draw: Any) -> Call:
    x = draw(arrays(ALL))
    return Call((x,), {"axis": draw(st.integers(-x.ndim - 1, x.ndim))})


@st.composite
def squeezes(draw: Any) -> Call:
    shape = draw(st.lists(st.sampled_from([0, 1, 1, 3]), min_size=1, max_size=4))
    ones = [a for a, n in enumerate(shape) if n == 1]
    axis = tuple(a - len(shape) if draw(st.booleans()) else a for a in ones if draw(st.booleans()))
    return Call((draw(arrays(ALL, tuple(shape))), axis[0] if len(axis) == 1 else axis))


@st.composite
def permutations(draw: Any) -> Call:
    x = draw(arrays(ALL))
    return Call((x, tuple(draw(st.permutations(range(x.ndim))))))


@st.composite
def moves(draw: Any) -> Call:
    x = draw(arrays(ALL, shapes(min_dims=1)))
    if draw(st.booleans()):
        return Call((x, axis_of(draw, x), axis_of(draw, x)))
    count = draw(st.integers(1, x.ndim))
    source, target = (tuple(draw(st.permutations(range(x.ndim)))[:count]) for _ in range(2))
    return Call((x, source, target))


@st.composite
def joins(draw: Any, name: str) -> Call:
    x = draw(arrays(ALL, shapes(min_dims=1)))
    axis = axis_of(draw, x) if name == "concat" else draw(st.integers(-x.ndim - 1, x.ndim))
    others = []
    for seed in range(draw(st.integers(0, 2))):
        shape = list(x.shape)
        if name == "concat":
            shape[axis] = draw(st.integers(0, 3))
        others.append(values(tuple(shape), str(x.dtype), seed))
    if name == "concat" and draw(st.booleans()):
        axis = None
    return Call(([x, *others],), {"axis": axis})


@st.composite
def flips(draw: Any) -> Call:
    x = draw(arrays(ALL))
    return Call((x,), {"axis": draw(axes(x.ndim))})


@st.composite
def rolls(draw: Any) -> Call:
    x = draw(arrays(ALL))
    axis = draw(axes(x.ndim).filter(lambda a: a != ()))
    shift: Any = draw(st.integers(-5, 5))
    if isinstance(axis, tuple):
        shift = tuple(draw(st.integers(-5, 5)) for _ in axis)
    return Call((x, shift), {"axis": axis})


@st.composite
def tiles(draw: Any) -> Call:
    return Call((draw(arrays(ALL)), draw(st.lists(st.integers(0, 3), max_size=4).map(tuple))))


@st.composite
def repeats(draw: Any) -> Call:
    x = draw(arrays(ALL, shapes(min_dims=1)))
    return Call((x, draw(st.integers(0, 3))), {"axis": draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))})


@st.composite
def takes(draw: Any) -> Call:
    x = draw(arrays(ALL, nonempty(min_dims=1)))
    axis = axis_of(draw, x)
    indices = draw(st.lists(st.integers(0, x.shape[axis] - 1), max_size=5))
    kwargs = {} if x.ndim == 1 and draw(st.booleans()) else {"axis": axis}
    return Call((x, np.array(indices, draw(st.sampled_from(INTS)))), kwargs)


@st.composite
def takes_along(draw: Any) -> Call:
    x = draw(arrays(ALL, nonempty(min_dims=1)))
    axis = axis_of(draw, x)
    shape = [1 if draw(st.integers(0, 3)) == 0 else n for n in x.shape]
    shape[axis] = draw(st.integers(0, 4))
    indices = np.random.default_rng(draw(st.integers(0, 99))).integers(0, x.shape[axis], shape)
    kwargs = draw(st.sampled_from([{"axis": axis}, *[{}] * (axis == -1)]))
    return Call((x, indices.astype(draw(st.sampled_from(INTS)))), kwargs)


@st.composite
def orders(draw: Any) -> Call:
    x = draw(arrays(STORED, shapes(min_dims=1), low=-2, high=2))
    return Call((x,), {"axis": axis_of(draw, x), "descending": draw(st.booleans())})


@st.composite
def searches(draw: Any) -> Call:
    dtype = draw(st.sampled_from(REALS))
    x = values((draw(st.integers(0, 6)),), dtype, draw(st.integers(0, 99)), low=-3, high=3)
    y = draw(arrays((dtype,), low=-3, high=3))
    kwargs: dict[str, Any] = {"side": draw(st.sampled_from(["left", "right"]))}
    if draw(st.booleans()):
        return Call((x, y), kwargs | {"sorter": np.argsort(x, kind="stable")})
    return Call((np.sort(x), y), kwargs)


@st.composite
def products(draw: Any) -> Call:
    dtype, (n, k, m) = draw(st.sampled_from(("float32", "float64", *INTS))), draw(st.tuples(*[st.integers(0, 4)] * 3))
    batch = draw(shapes(max_dims=2))
    left, right = (batch[draw(st.integers(0, len(batch))) :] for _ in range(2))
    first = draw(st.sampled_from([(*left, n, k), (n, k), (k,)]))
    second = draw(st.sampled_from([(*right, k, m), (k, m), (k,)]))
    return Call((values(first, dtype, 0, fine=0), values(second, dtype, 1, fine=0)))


@st.composite
def contractions(draw: Any) -> Call:
    dtype = draw(st.sampled_from(("float32", "float64", *INTS)))
    free, common = draw(shapes(max_dims=2)), draw(shapes(max_dims=2))
    a, b = values((*free, *common), dtype, 0, fine=0), values((*common, *free), dtype, 1, fine=0)
    if draw(st.booleans()):
        return Call((a, b), {"axes": len(common)})
    first = tuple(range(len(free), len(free) + len(common)))
    return Call((a, b), {"axes": (first, tuple(range(len(common))))})


@st.composite
def dots(draw: Any) -> Call:
    dtype = draw(st.sampled_from(("float32", "float64", *INTS)))
    x = draw(arrays((dtype,), shapes(min_dims=1), fine=0))
    axis = draw(st.integers(-x.ndim, -1))
    shape = [1 if draw(st.booleans()) else n for n in x.shape]
    shape[axis] = x.shape[axis]
    return Call((x, values(tuple(shape), dtype, 3, fine=0)), {"axis": axis})


@st.composite
def casts(draw: Any) -> Call:
    return Call((draw(arrays(ALL, low=0)), Dtype(draw(st.sampled_from(ALL)))))


def filled(name: str) -> st.SearchStrategy[Call]:
    fills = (1,) if name == "full" else ()
    return st.builds(
        lambda shape, dtype: Call((shape, *fills), {"dtype": Dtype(dtype)}),
        st.one_of(shapes(), st.integers(0, 3)),
        st.sampled_from(STORED),
    )


@st.composite
def alikes(draw: Any, *fills: Any) -> Call:
    kwargs = draw(st.sampled_from([{}, {"dtype": Dtype("float32")}, {"dtype": Dtype("int32")}]))
    return Call((draw(arrays(STORED)), *fills), kwargs)


@st.composite
def ranges(draw: Any) -> Call:
    dtype = draw(st.sampled_from(("float32", "float64", *INTS)))
    start, stop, step = draw(st.integers(-5, 5)), draw(st.integers(-5, 9)), draw(st.sampled_from([1, 2, -1]))
    scale = draw(st.sampled_from([1, 0.5])) if dtype in EXACT else 1
    args = draw(st.sampled_from([(stop,), (start, stop), (start, stop, step)]))
    return Call(tuple(a * scale for a in args), {"dtype": Dtype(dtype)})


@st.composite
def eyes(draw: Any) -> Call:
    n, m = draw(st.integers(0, 4)), draw(st.sampled_from([None, 0, 2, 5]))
    k = draw(st.sampled_from([{}, {"k": 1}, {"k": -2}]))
    return Call((n, m) if m is not None else (n,), k | {"dtype": Dtype(draw(st.sampled_from(STORED)))})


@st.composite
def spaces(draw: Any) -> Call:
    kwargs = {"dtype": Dtype(draw(st.sampled_from(("float32", "float64"))))}
    return Call((draw(st.integers(-3, 3)), draw(st.floats(-2, 5)), draw(st.integers(0, 7))), kwargs)


def shifts() -> st.SearchStrategy[Call]:
    return binary(INTS, low=-1000, high=1000, second={"low": 0, "high": 31}).filter(
        lambda call: not isinstance(call.args[0], int) or call.args[1].size == 0 or call.args[1].min() >= 0
    )


CALLS: dict[str, st.SearchStrategy[Call]] = {
    **{name: filled(name) for name in ("zeros", "ones", "full")},
    **{name: alikes() for name in ("zeros_like", "ones_like")},
    "full_like": alikes(3),
    "arange": ranges(),
    "eye": eyes(),
    "linspace": spaces(),
    **{name: unary(REALS, special=True) for name in ("abs", "square", "floor", "ceil", "round", "trunc")},
    **{name: unary(REALS, special=True) for name in ("sign", "isfinite", "isnan", "isinf")},
    **{name: unary(FLOATS, special=True) for name in ("exp", "expm1", "sin", "cos", "tan", "tanh")},
    **{name: unary(FLOATS, special=True, low=0) for name in ("sqrt", "log", "log1p")},
    **{name: unary(FLOATS, special=True, low=-1, high=1) for name in ("atanh", "acos")},
    "pow": st.one_of(
        binary(FLOATS, low=1, high=3, second={"low": -3, "high": 3}),
        binary(INTS, low=0, high=3, second={"low": 0, "high": 4}),
    ),
    **{name: binary(STORED, special=True) for name in ("maximum", "minimum")},
    **{name: binary(REALS, second={"low": 1, "high": 5}) for name in ("remainder", "floor_divide")},
    **{name: binary((*INTS, "bool")) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    **{name: shifts() for name in ("bitwise_left_shift", "bitwise_right_shift")},
    **{name: binary(("bool",)) for name in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": unary(("bool",)),
    "clip": clips(),
    "where": wheres(),
    "sum": reductions(STORED, fine=0),  # sums of halves are exact in any order
    "prod": reductions(STORED, low=-2, high=2, fine=0),
    "mean": reductions(FLOATS, nonempty(), fine=0),
    **{name: spreads() for name in ("var", "std")},
    **{name: reductions(STORED, nonempty(), special=True) for name in ("max", "min")},
    **{name: reductions(("bool", *INTS, "float32", "uint8"), low=-1, high=1) for name in ("any", "all")},
    **{name: positions() for name in ("argmax", "argmin")},
    "cumulative_sum": running_sums(),
    "reshape": reshapes(),
    "broadcast_to": broadcasts(),
    "expand_dims": expansions(),
    "squeeze": squeezes(),
    "permute_dims": permutations(),
    "moveaxis": moves(),
    **{name: joins(name) for name in ("concat", "stack")},
    "flip": flips(),
    "roll": rolls(),
    "tile": tiles(),
    "repeat": repeats(),
    "take": takes(),
    "take_along_axis": takes_along(),
    **{name: orders() for name in ("sort", "argsort")},
    "searchsorted": searches(),
    "matmul": products(),
    "tensordot": contractions(),
    "vecdot": dots(),
    "matrix_transpose": unary(ALL, shape=shapes(min_dims=2)),
    "astype": casts(),
}
DTYPES = {"float16", "float32", "float64", "int32", "int64", "uint8", "bool"}
CONSTANTS = {"inf", "nan", "pi", "e", "newaxis"}


# ---- the oracle


def oracle(name: str) -> Callable[..., Any]:
    """NumPy's own function, and the standard's meaning where NumPy has no keyword for it."""
    return ORACLES.get(name) or getattr(np, name)


def sorted_down(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    return -np.sort(-x.astype("f8"), axis=axis).astype(x.dtype) if descending else np.sort(x, axis=axis)


def argsorted(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    keys = -x.astype("f8") if descending else x
    return np.argsort(keys, axis=axis, kind="stable")


def clipped(x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    x = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return x if high is None else np.minimum(x, np.asarray(high, x.dtype))


def rounded_as_integers(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: x if x.dtype.kind in "iu" else f(x)


def running(x: np.ndarray, axis: int | None, include_initial: bool, dtype: Any = None) -> np.ndarray:
    axis = 0 if axis is None else axis
    sums = np.cumsum(x, axis=axis, dtype=dtype)
    start = np.zeros([1 if a == axis % x.ndim else n for a, n in enumerate(x.shape)], sums.dtype)
    return np.concatenate([start, sums], axis) if include_initial else sums


ORACLES: dict[str, Callable[..., Any]] = {
    "acos": np.arccos,
    "atanh": np.arctanh,
    "astype": lambda x, dtype: x.astype(dtype),
    "bitwise_left_shift": np.left_shift,
    "bitwise_right_shift": np.right_shift,
    "pow": np.power,
    "concat": np.concatenate,
    "permute_dims": np.transpose,
    "matrix_transpose": lambda x: np.swapaxes(x, -1, -2),
    "clip": clipped,
    **{name: rounded_as_integers(getattr(np, name)) for name in ("floor", "ceil", "round", "trunc")},
    "var": lambda x, axis, correction, keepdims: np.var(x, axis=axis, ddof=correction, keepdims=keepdims),
    "std": lambda x, axis, correction, keepdims: np.std(x, axis=axis, ddof=correction, keepdims=keepdims),
    "vecdot": lambda x, y, axis: np.sum(x * y, axis=axis, dtype=x.dtype),
    "tensordot": lambda x, y, axes: np.tensordot(x, y, axes),
    "take_along_axis": lambda x, i, axis=-1: np.take_along_axis(*broadcast_beside(x, i, axis), axis),
    "sort": sorted_down,
    "argsort": argsorted,
    "cumulative_sum": running,
}


def broadcast_beside(x: np.ndarray, indices: np.ndarray, axis: int) -> list[np.ndarray]:
    """Both broadcast along all axes but one."""
    axis %= x.ndim
    common = np.broadcast_shapes(*((*v.shape[:axis], 1, *v.shape[axis + 1 :]) for v in (x, indices)))
    return [np.broadcast_to(v, (*common[:axis], v.shape[axis], *common[axis + 1 :])) for v in (x, indices)]


# ---- the comparison

TOLERANCE = {"float16": 5e-3, "float32": 3e-6, "float64": 1e-12}


def replaced(value: Any, array: Callable[[np.ndarray], Any], dtype: Callable[[str], Any]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return array(np.asarray(value))
    if isinstance(value, Dtype):
        return dtype(value)
    if isinstance(value, list | tuple):
        return type(value)(replaced(v, array, dtype) for v in value)
    if isinstance(value, dict):
        return {key: replaced(v, array, dtype) for key, v in value.items()}
    return value


def arrays_in(value: Any) -> list[np.ndarray]:
    if isinstance(value, np.ndarray | np.generic):
        return [np.asarray(value)]
    if isinstance(value, list | tuple):
        return [a for v in value for a in arrays_in(v)]
    return [a for v in value.values() for a in arrays_in(v)] if isinstance(value, dict) else []


def check(backend: Any, name: str, call: Call, *, graph: bool) -> None:
    xp = backend.xp
    inputs = arrays_in([call.args, call.kwargs])
    named = {str(v) for v in (*call.args, *call.kwargs.values()) if isinstance(v, Dtype)}
    dtypes = {str(a.dtype) for a in inputs} | named
    if backend.name in NO_FLOAT16 and "float16" in dtypes:
        return
    with np.errstate(all="ignore"):
        args, kwargs = replaced((call.args, call.kwargs), lambda a: a, np.dtype)
        expected = np.asarray(oracle(name)(*args, **kwargs))

    def run(*tensors: Any) -> Any:
        left = iter(tensors)
        args, kwargs = replaced((call.args, call.kwargs), lambda _: next(left), functools.partial(getattr, xp))
        return getattr(xp, name)(*args, **kwargs)

    tensors = [backend.asarray(a) for a in inputs]
    with np.errstate(all="ignore"):
        result = backend.compile(run)(*tensors) if graph else run(*tensors)
    assert backend.is_native(result)
    found = backend.to_numpy(result)
    note(f"{name}: {found!r} against {expected!r}")
    wanted = str(expected.dtype)
    for dtype in dtypes:
        wanted = wanted if named else DEPARTURES.get((backend.name, name, dtype), wanted)
    assert found.shape == expected.shape
    if found.ndim or not NUMPY_1:
        assert str(found.dtype) == wanted
    # the coarser of what went in and what came out; sums of halves cancel, so small numbers are compared to 1
    rtol = max(TOLERANCE.get(d, 0.0) for d in {*dtypes, wanted})
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


bounded = functools.partial(settings, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_means_what_numpy_means(backend: Any, name: str) -> None:
    @bounded(max_examples=40)
    @given(CALLS[name])
    def agree(call: Call) -> None:
        check(backend, name, call, graph=False)

    agree()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_means_the_same_inside_a_graph(name: str, tensorflow_backend: Any) -> None:
    @bounded(max_examples=10)
    @given(CALLS[name])
    def agree(call: Call) -> None:
        check(tensorflow_backend, name, call, graph=True)

    agree()


def test_every_promised_name_is_tested_and_there(backend: Any) -> None:
    assert set(CALLS) | DTYPES | CONSTANTS | {"isdtype", "finfo", "result_type"} == NAMESPACE
    missing = {name for name in NAMESPACE if not hasattr(backend.xp, name)}
    assert missing == ({"float16"} if backend.name in NO_FLOAT16 else set())


# ---- types and constants


def test_constants(backend: Any) -> None:
    xp = backend.xp
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(xp.nan)


def promised(backend: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(n for n in names if not (n == "float16" and backend.name in NO_FLOAT16))


def test_finfo(backend: Any) -> None:
    for name in promised(backend, FLOATS):
        dtype, expected = getattr(backend.xp, name), np.finfo(name)
        for found in (backend.xp.finfo(dtype), backend.xp.finfo(backend.xp.zeros((2,), dtype=dtype))):
            for limit in ("eps", "max", "min", "smallest_normal"):
                assert float(getattr(found, limit)) == float(getattr(expected, limit))
            assert found.bits == expected.bits


KINDS = {
    "bool": ("bool",),
    "signed integer": INTS,
    "unsigned integer": ("uint8",),
    "integral": (*INTS, "uint8"),
    "real floating": FLOATS,
    "complex floating": (),
    "numeric": STORED,
}


def test_isdtype(backend: Any) -> None:
    xp = backend.xp
    for name in promised(backend, ALL):
        dtype = getattr(xp, name)
        assert xp.isdtype(dtype, dtype)
        assert not xp.isdtype(dtype, xp.int32 if name != "int32" else xp.int64)
        assert xp.isdtype(dtype, ("complex floating", dtype))
        for kind, members in KINDS.items():
            assert xp.isdtype(dtype, kind) == (name in members)


def test_result_type(backend: Any) -> None:
    xp = backend.xp
    for family in (FLOATS, (*INTS, "uint8")):
        for a in promised(backend, family):
            for b in promised(backend, family):
                wanted = getattr(xp, str(np.result_type(a, b)))
                assert xp.result_type(getattr(xp, a), getattr(xp, b)) == wanted
                assert xp.result_type(xp.zeros((2,), dtype=getattr(xp, a)), getattr(xp, b)) == wanted
        for a in promised(backend, family):
            number = 1.5 if family is FLOATS else 3
            assert xp.result_type(getattr(xp, a), number) == getattr(xp, a)
            assert xp.result_type(number, xp.zeros((2,), dtype=getattr(xp, a))) == getattr(xp, a)


def test_default_dtypes(backend: Any) -> None:
    """A float is float32 or float64 as the framework likes; an integer is int64 everywhere."""
    xp = backend.xp
    for x in (
        xp.zeros((2,)),
        xp.ones(2),
        xp.full((2,), 1.5),
        xp.eye(2),
        xp.linspace(0, 1, 3),
        xp.arange(0.0, 2.0, 0.5),
    ):
        assert x.dtype in (xp.float32, xp.float64)
    assert xp.arange(3).dtype == xp.int64
    assert xp.full((2,), 3).dtype == xp.int64
    assert xp.full((2,), True).dtype == xp.bool


# ---- what goes without a function


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators(backend: Any, symbol: str, graph: bool) -> None:
    op = OPERATORS[symbol]
    for dtype in ("int32", "bool") if symbol in "&|^" else ("int32", "float32"):
        x, y = values((3, 4), dtype, 1, low=0, high=4), values((4,), dtype, 2, low=1, high=4)
        number = True if dtype == "bool" else 3
        for a, b in ((x, y), (x, number), (number, y)):
            expected = op(a, b)
            tensors = [backend.asarray(v) for v in (a, b) if isinstance(v, np.ndarray)]

            def run(*given: Any, a: Any = a, b: Any = b) -> Any:
                left = iter(given)
                return op(*(next(left) if isinstance(v, np.ndarray) else v for v in (a, b)))

            found = backend.to_numpy((backend.compile(run) if graph else run)(*tensors))
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_right_shift_keeps_the_sign_and_bits_wrap(backend: Any) -> None:
    """What the random numbers are made of."""
    x = np.array([-1, -(2**31), 2**31 - 1, 5], np.int32)
    t = backend.asarray(x)
    np.testing.assert_array_equal(backend.to_numpy(backend.xp.bitwise_right_shift(t, 16)), x >> 16)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(backend.to_numpy(t * 0x7FEB352D), x * np.int32(0x7FEB352D))
    np.testing.assert_array_equal(backend.to_numpy((t & 0xFFFF) ^ -5 | 3), (x & 0xFFFF) ^ -5 | 3)


@pytest.mark.parametrize("graph", [False, True])
def test_slices_and_attributes(backend: Any, graph: bool) -> None:
    x = values((4, 3, 2), "float32", 0)

    def run(t: Any) -> Any:
        assert (tuple(t.shape), t.ndim, t.dtype) == (x.shape, 3, backend.xp.float32)
        assert t.shape[0] == 4
        assert (2, *t.shape[1:]) == (2, 3, 2)
        return [t[0, ...], t[-1, :, :], t[1:3, ...], t[:, 0, :], t[..., 1], t[:, None, :, :], t[::2, ...], -t, abs(t)]

    found = (backend.compile(run) if graph else run)(backend.asarray(x))
    expected = [x[0], x[-1, :, :], x[1:3], x[:, 0, :], x[..., 1], x[:, None, :, :], x[::2], -x, abs(x)]
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(backend.to_numpy(a), b)


def test_squeeze_refuses_a_longer_axis(backend: Any) -> None:
    with pytest.raises(Exception, match=r"(?i)squeeze|one"):
        backend.xp.squeeze(backend.xp.zeros((2, 1)), 0)


def test_take_and_running_sums_of_a_matrix_need_an_axis(backend: Any) -> None:
    x = backend.xp.zeros((2, 2), dtype=backend.xp.float32)
    with pytest.raises(Exception, match="axis"):
        backend.xp.cumulative_sum(x)


def test_sign_of_not_a_number_has_no_gradient_trap(autodiff_backend: Any) -> None:
    """sign, where, clip and maximum are differentiated through in attacks: their gradients are finite."""
    b = autodiff_backend
    xp = b.xp
    x = b.asarray(np.array([-1.5, 0.25, 2.0], np.float32))

    def f(z: Any) -> Any:
        return xp.sum(xp.sign(z) + xp.clip(z, -1.0, 1.0) + xp.maximum(z, 0.0) + xp.where(z > 0, z, 0.0)), None

    np.testing.assert_allclose(b.to_numpy(b.value_and_grad(f)(x)[1]), [0.0, 3.0, 2.0], atol=1e-6)


def test_gradients_flow_through_lookups(autodiff_backend: Any) -> None:
    """Also where TensorFlow's gradient of a gather is sparse."""
    b = autodiff_backend
    xp = b.xp
    x = b.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    along, rows = b.asarray(np.array([[2], [0]])), b.asarray(np.array([1, 1]))
    _, g = b.value_and_grad(lambda z: (xp.sum(xp.take_along_axis(z, along, axis=1)), None))(x)
    np.testing.assert_allclose(b.to_numpy(g), [[0, 0, 1], [1, 0, 0]], atol=1e-6)
    _, g = b.value_and_grad(lambda z: (xp.sum(xp.take(z, rows, axis=0)), None))(x)
    np.testing.assert_allclose(b.to_numpy(g), [[0, 0, 0], [2, 2, 2]], atol=1e-6)
    _, g = b.value_and_grad(lambda z: (xp.sum(xp.sort(z, axis=-1, descending=True)[:, 0]), None))(x)
    np.testing.assert_allclose(b.to_numpy(g), [[0, 0, 1], [0, 0, 1]], atol=1e-6)
