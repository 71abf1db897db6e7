"""Data at the door: numbers, finite, and inside the model's bounds; or an error that says what is wrong."""

import re
from typing import Any

import numpy as np

from armour_core.errors import DataError
from armour_core.protocols.backend import Array, Backend

_FLOATS = ("float64", "float32", "float16", "bfloat16")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Keras colours its messages
_EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def dtype_name(x: Any) -> str:
    """`float32`, whichever framework's tensor this is."""
    dtype = x.dtype
    name = getattr(dtype, "name", None)  # NumPy, TensorFlow
    return name if isinstance(name, str) else str(dtype).rpartition(".")[2]  # torch.float32


def admit(x: Any, backend: Backend, bounds: tuple[float, float], dtype: str | None, what: str = "x") -> Array:
    """A native tensor in `dtype` (None: the data's own), inside the bounds. Raises DataError.

    What exceeds a bound by no more than the rounding of the caller's dtype is set to the bound.
    """
    x = _tensor(x, backend, what)
    shape, name = tuple(x.shape), dtype_name(x)
    _check_kind(name, bounds, what)
    if len(shape) == 0:
        raise DataError(f"{what} is a single number. Pass a batch: shape (N, ...), the samples along the first axis.")
    if 0 in shape:
        raise DataError(f"{what} is empty: its shape is {shape}. Pass at least one sample.")
    space: Any = np if isinstance(x, np.ndarray) else backend.xp
    lo, hi = bounds
    if name != "uint8":
        _check_finite(x, space, what)
    low, high = float(space.min(x)), float(space.max(x))
    slack = _EPSILON.get(name, 0.0) * max(abs(lo), abs(hi))
    if low < lo - slack or high > hi + slack:
        raise DataError(_outside(low, high, bounds, name, what))
    wanted = dtype or (name if name != "uint8" else "float32")
    native = backend.asarray(x, dtype=wanted)
    if low < lo or high > hi:
        native = backend.xp.clip(native, lo, hi)
    return native


def _tensor(x: Any, backend: Backend, what: str) -> Any:
    if isinstance(x, np.ma.MaskedArray):
        raise DataError(f"{what} is a masked array. Fill or drop what is masked: {what}.filled(0).")
    if isinstance(x, np.ndarray):
        return np.asarray(x)
    if backend.is_native(x):
        return backend.stop_gradient(x)
    if isinstance(x, dict) or (isinstance(x, tuple) and len({np.shape(part) for part in x}) > 1):
        raise DataError(
            f"{what} is a {type(x).__name__} of several inputs; one tensor is wanted, the one to be changed.\n"
            "  Fix the others when wrapping: wrap(net, forward=lambda net, x: net(x, mask=mask))."
        )
    try:
        return np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{what} is a {type(x).__module__}.{type(x).__qualname__} that does not convert to an array: "
            f"{one_line(error)}\n"
            f"  Pass a NumPy array, or a tensor of the model's own framework ({backend.name})."
        ) from error


def _check_kind(name: str, bounds: tuple[float, float], what: str) -> None:
    if name in _FLOATS or (name == "uint8" and bounds == (0.0, 255.0)):
        return
    if name == "uint8":
        raise DataError(
            f"{what} is uint8 (0 to 255), but the model was wrapped with bounds {_pair(bounds)}.\n"
            f"  Scale it: {what}.astype('float32') / 255; or, if the network itself takes 0 to 255: wrap(net, "
            "bounds=(0, 255))."
        )
    if name == "bool" or name.startswith(("int", "uint")):
        raise DataError(
            f"{what} has dtype {name}, and whole numbers cannot be changed by small amounts.\n"
            f"  Pass floats: {what}.astype('float32'); uint8 images are taken where bounds are (0, 255)."
        )
    raise DataError(
        f"{what} has dtype {name}, which is not numeric: real numbers are wanted.\n"
        f"  If it should be numbers, convert it: numpy.asarray({what}, dtype='float32'), and see where that fails."
    )


def _check_finite(x: Any, space: Any, what: str) -> None:
    finite = space.isfinite(x)
    if bool(space.all(finite)):
        return
    rows = np.asarray([bool(space.all(finite[i])) for i in range(min(int(x.shape[0]), 10_000))])
    bad = np.flatnonzero(~rows)
    where = f"the first in row {bad[0]}" if bad.size else "beyond row 10000"
    kind = "NaN" if bool(space.any(space.isnan(x))) else "infinite values"
    raise DataError(
        f"{what} contains {kind}: {where}.\n  Remove or repair these rows; a division by a zero deviation is a "
        "frequent cause."
    )


def _outside(low: float, high: float, bounds: tuple[float, float], name: str, what: str) -> str:
    lo, hi = bounds
    found = f"{what} ranges over [{low:.6g}, {high:.6g}], but the model was wrapped with bounds {_pair(bounds)}."
    span = hi - lo
    if max(lo - low, high - hi) <= 1e-3 * span:
        return (
            f"{found}\n  The excess is small, as interpolation or rounding leaves it. Clip it: numpy.clip({what}, "
            f"{lo:g}, {hi:g})."
        )
    if (lo, hi) == (0.0, 1.0) and low >= 0 and 128 <= high <= 255:
        return (
            f"{found}\n  It looks like 8-bit images. Scale it: {what} / 255; or, if the network itself takes 0 to 255: "
            "wrap(net, bounds=(0, 255))."
        )
    if (lo, hi) == (0.0, 1.0) and low >= -1.001 and high <= 1.001:
        return (
            f"{found}\n  It looks normalised to [-1, 1]. Pass raw inputs and let the wrapper normalise: wrap(net, "
            "bounds=(0, 1), preprocessing=(0.5, 0.5)); or say wrap(net, bounds=(-1, 1))."
        )
    if low < lo:
        return (
            f"{found}\n  It looks normalised. Pass raw inputs and let the wrapper normalise: wrap(net, "
            f"bounds={_pair(bounds)}, preprocessing=(mean, std))."
        )
    return (
        f"{found}\n  Scale the data, or give the range that the network takes: wrap(net, bounds=({low:.6g}, "
        f"{high:.6g}))."
    )


def _pair(bounds: tuple[float, float]) -> str:
    return f"({bounds[0]:g}, {bounds[1]:g})"


def one_line(error: BaseException, limit: int = 300) -> str:
    """An exception's type and message in one line, for quoting in ours."""
    text = " ".join(_COLOURS.sub("", str(error)).split())
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
