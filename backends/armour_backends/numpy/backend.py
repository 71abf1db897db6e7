"""NumPy as a backend: what scikit-learn models and plain callables compute with. No gradients."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from armour_backends.numpy import namespace
from armour_backends.numpy.rng import mix, normal, unit
from armour_core.errors import ConfigError, MissingCapability
from armour_core.rng import Rng, root

Array = Any


def backend_for(device: str = "auto") -> "NumpyBackend":
    """The one NumPy backend."""
    if device not in ("auto", "cpu"):
        raise ConfigError(
            f"device {device!r}: NumPy computes on 'cpu' only. Wrap a torch or TensorFlow model to use it."
        )
    return _backend()


@functools.cache
def _backend() -> "NumpyBackend":
    return NumpyBackend()


class NumpyBackend:
    """`armour_core.protocols.backend.Backend` over NumPy."""

    name = "numpy"
    device = "cpu"
    xp: ModuleType = namespace
    capabilities: frozenset[str] = frozenset()
    static_shapes = False

    def __repr__(self) -> str:
        return "NumpyBackend()"

    def asarray(self, x: Any, dtype: Any = None) -> Array:
        """Shares memory with `x` where it can."""
        return np.asarray(x, dtype=dtype)

    def to_numpy(self, x: Array) -> np.ndarray:
        """`x` itself."""
        return np.asarray(x)

    def is_native(self, x: Any) -> bool:
        """Arrays, and the scalars that NumPy returns in place of 0-d arrays."""
        return isinstance(x, np.ndarray | np.generic)

    def rng(self, seed: int) -> Rng:
        """The root generator for a seed."""
        return root(self, seed)

    # what the generator is made of
    mix = staticmethod(mix)
    unit = staticmethod(unit)
    normal = staticmethod(normal)

    def stop_gradient(self, x: Array) -> Array:
        """`x`: nothing is differentiated here."""
        return x

    def value_and_grad(self, f: Callable[[Array], tuple[Array, Any]]) -> NoReturn:
        """Refused: NumPy has no gradients."""
        raise MissingCapability(_NO_GRADIENT)

    def vjp(self, f: Callable[[Array], Array], x: Array) -> NoReturn:
        """Refused: NumPy has no gradients."""
        raise MissingCapability(_NO_GRADIENT)

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """`f`: nothing to compile."""
        return f

    def iterate(self, step: Callable[..., Any], model: Any = None) -> Callable[..., dict[str, Array]]:
        """A plain loop."""

        def run(carry: Any, rows: Any, shared: Any, first: int, n: int) -> dict[str, Array]:
            carry = dict(carry)
            for k in range(first, first + n):
                carry = step(carry, rows, shared, np.asarray(k, np.int32))
            return carry

        return run

    def select(self, rows: Array, a: Array, b: Array) -> Array:
        """Whole rows by a bool vector."""
        return np.where(np.reshape(rows, rows.shape + (1,) * (np.ndim(a) - 1)), a, b)

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        """(N, C), int (N,) -> (N,): the log of the summed exponentials less the label's logit."""
        wide = logits.astype(np.result_type(logits, np.float32), copy=False)  # float16 has no digits to spare
        wide = wide - np.max(wide, axis=-1, keepdims=True)
        own = np.take_along_axis(wide, np.asarray(labels)[:, None], -1)[:, 0]
        return (np.log(np.sum(np.exp(wide), axis=-1)) - own).astype(logits.dtype)

    def synchronize(self) -> None:
        """Nothing runs behind our back."""


_NO_GRADIENT = (
    "the NumPy backend computes no gradients ('autodiff' is missing). Use an attack that needs only scores or labels "
    "(armour list attack --tag black-box), or wrap the torch or TensorFlow model itself."
)
