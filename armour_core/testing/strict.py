"""A backend over array-api-strict, which refuses whatever the array API standard does not promise.

Neutral code that runs here runs on a backend nobody has written yet. Slow by nature: gradients are central differences,
coordinate by coordinate, so models have a few inputs.
"""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import array_api_strict
import numpy as np

from armour_core import rng
from armour_core.errors import ConfigError, DataError
from armour_core.protocols.backend import Array, State

# What the neutral subset leaves out must not slip through here: mask indexing, and shapes that depend on values.
array_api_strict.set_array_api_strict_flags(api_version="2024.12", boolean_indexing=False, data_dependent_shapes=False)

_STEP = 1e-6  # for float64: truncation and rounding errors of a central difference meet near here


def backend_for(device: str = "auto") -> "StrictBackend":
    """A backend that knows one device."""
    if device not in ("auto", "cpu"):
        raise ConfigError(f"device {device!r}: array-api-strict computes on 'cpu' only.")
    return StrictBackend()


class StrictBackend:
    """`armour_core.protocols.backend.Backend` over array-api-strict (which has no float16)."""

    name = "strict"
    device = "cpu"
    xp: ModuleType = array_api_strict
    capabilities: frozenset[str] = frozenset({"autodiff"})
    static_shapes = False

    def __repr__(self) -> str:
        return "StrictBackend()"

    def asarray(self, x: Any, dtype: Any = None) -> Array:
        """From NumPy, native, list or number."""
        if isinstance(x, np.ndarray | np.generic):
            x = np.asarray(x, dtype=x.dtype.newbyteorder("="))
        return self.xp.asarray(x, dtype=getattr(self.xp, dtype) if isinstance(dtype, str) else dtype)

    def to_numpy(self, x: Array) -> np.ndarray:
        """A copy."""
        return np.array(x)

    def is_native(self, x: Any) -> bool:
        """An array of array-api-strict."""
        return isinstance(x, type(self.xp.asarray(0)))

    def rng(self, seed: int) -> rng.Rng:
        """The root generator for a seed."""
        return rng.root(self, seed)

    def mix(self, bits: Array) -> Array:
        """The neutral hash."""
        return rng.mix(self.xp, bits)

    def stop_gradient(self, x: Array) -> Array:
        """`x`: values only are used."""
        return x

    def value_and_grad(
        self, f: Callable[[Array], tuple[Array, Any]]
    ) -> Callable[[Array], tuple[tuple[Array, Any], Array]]:
        """By central differences in float64, to which `f` must follow by promotion."""
        xp = self.xp

        def run(x: Array) -> tuple[tuple[Array, Any], Array]:
            if not xp.isdtype(x.dtype, "real floating"):
                raise DataError(f"a gradient was asked with respect to {x.dtype}. Cast to a floating dtype: xp.astype.")

            pairs = [(f(above)[0], f(below)[0]) for above, below in _neighbours(xp, x)]
            slopes = [(float(above) - float(below)) / (2 * _STEP) for above, below in pairs]
            if any(slopes) and pairs[0][0].dtype != xp.float64:
                raise DataError(
                    f"a value of dtype {pairs[0][0].dtype} for a float64 input: differences would be noise. Let the "
                    "function promote, with constants in the dtype of its argument."
                )
            return f(x), xp.reshape(xp.asarray(slopes, dtype=x.dtype), x.shape)

        return run

    def vjp(self, f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """`pull` differentiates the product of `f` with the cotangent."""
        xp = self.xp

        def pull(cotangent: Array) -> Array:
            _, gradient = self.value_and_grad(lambda at: (xp.sum(f(at) * cotangent), None))(x)
            return gradient

        return f(x), pull

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """`f`: nothing to compile."""
        return f

    def iterate(
        self, step: Callable[[State, State, State, Array], State], model: Any = None
    ) -> Callable[..., dict[str, Array]]:
        """A plain loop."""

        def run(carry: State, rows: State, shared: State, first: int, n: int) -> dict[str, Array]:
            for k in range(first, first + n):
                carry = step(carry, rows, shared, self.xp.asarray(k, dtype=self.xp.int32))
            return dict(carry)

        return run

    def select(self, rows: Array, a: Array, b: Array) -> Array:
        """Whole rows by a bool vector."""
        return self.xp.where(self.xp.reshape(rows, (-1,) + (1,) * (a.ndim - 1)), a, b)

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        """The log of the summed exponentials less the label's logit."""
        xp = self.xp
        top = xp.max(logits, axis=1, keepdims=True)
        total = xp.log(xp.sum(xp.exp(logits - top), axis=1)) + xp.squeeze(top, axis=1)
        own = xp.take_along_axis(logits, xp.astype(xp.expand_dims(labels, axis=1), xp.int64), axis=1)
        return total - xp.squeeze(own, axis=1)

    def synchronize(self) -> None:
        """Nothing runs behind our back."""


def _neighbours(xp: Any, x: Array) -> Iterator[tuple[Array, Array]]:
    """For each coordinate of x, x a step up and a step down that coordinate, in float64."""
    centre = np.array(x, dtype=np.float64)
    for place in np.ndindex(centre.shape):
        offset = np.zeros_like(centre)
        offset[place] = _STEP
        yield xp.asarray(centre + offset), xp.asarray(centre - offset)
