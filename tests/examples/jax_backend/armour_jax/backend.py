"""JAX as a backend: whole chunks of steps are compiled into one loop, and weights are its arguments."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
from jax import lax

from armour_core.errors import ConfigError, DataError
from armour_core.rng import Rng, root
from armour_jax import namespace
from armour_jax.rng import mix
from armour_jax.weights import compiled

Array = Any


def backend_for(device: str = "auto") -> "JaxBackend":
    """The backend of a device: "auto" (JAX's own choice), "cpu", "cpu:1", "gpu:0" ("cuda:0" means the same)."""
    devices = _devices()
    name = name_of(jax.devices()[0]) if device == "auto" else _spelt(device)
    if name not in devices:
        raise ConfigError(
            f"device {device!r}: JAX has no such device here. There is: {', '.join(devices)}; or say 'auto'."
        )
    return _backend(name)


def name_of(device: jax.Device) -> str:
    """ "cpu" for the first one, else platform and number."""
    return "cpu" if (device.platform, device.id) == ("cpu", 0) else f"{device.platform}:{device.id}"


def _spelt(device: str) -> str:
    kind, _, number = device.lower().replace("cuda", "gpu").partition(":")
    return kind if kind == "cpu" and number in ("", "0") else f"{kind}:{number or 0}"


def _devices() -> dict[str, jax.Device]:
    every = [device for client in jax.extend.backend.backends().values() for device in client.local_devices()]
    return {name_of(device): device for device in every}


@functools.cache
def _backend(name: str) -> "JaxBackend":
    return JaxBackend(name, _devices()[name])


class JaxBackend:
    """`armour_core.protocols.backend.Backend` over JAX."""

    name = "jax"
    capabilities: frozenset[str] = frozenset({"autodiff"})
    static_shapes = True
    xp: ModuleType = namespace

    def __init__(self, name: str, device: jax.Device) -> None:
        self.device = name
        # On CPUs XLA computes a convolution within a loop several times as slowly as outside: jax-ml/jax#12868
        self.loops = device.platform != "cpu"  #: whether a chunk of steps is one program, or each step is one
        self._device = device

    def __repr__(self) -> str:
        return f"JaxBackend({self.device!r})"

    def asarray(self, x: Any, dtype: Any = None) -> Array:
        """Shares memory with `x` where it can. Without `jax_enable_x64` JAX has no numbers of 64 bits: they get 32."""
        if not isinstance(x, jax.Array):
            x = np.asarray(x)
            if x.dtype.kind not in "biufcV":  # V: bfloat16
                raise DataError(f"JAX cannot hold an array of dtype {x.dtype}. Pass numbers.")
            x = x.astype(x.dtype.newbyteorder("="), copy=False)
        x = jnp.asarray(x, dtype)
        return x if isinstance(x, jax.core.Tracer) else jax.device_put(x, self._device)

    def to_numpy(self, x: Array) -> np.ndarray:
        """A view that nobody can write into. bfloat16, which NumPy lacks, comes as float32."""
        return np.asarray(x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x)

    def is_native(self, x: Any) -> bool:
        """Arrays, traced ones too."""
        return isinstance(x, jax.Array)

    def rng(self, seed: int) -> Rng:
        """The root generator for a seed."""
        return root(self, seed)

    mix = staticmethod(mix)

    def stop_gradient(self, x: Array) -> Array:
        """`x`, as a constant."""
        return lax.stop_gradient(x)

    def value_and_grad(
        self, f: Callable[[Array], tuple[Array, Any]]
    ) -> Callable[[Array], tuple[tuple[Array, Any], Array]]:
        """JAX's own."""
        gradient = jax.value_and_grad(f, has_aux=True)

        def run(x: Array) -> tuple[tuple[Array, Any], Array]:
            _check_floating(x)
            found, slope = gradient(x)
            return jax.tree.map(lax.stop_gradient, found), slope

        return run

    def vjp(self, f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """JAX's own."""
        _check_floating(x)
        y, pull = jax.vjp(f, x)
        return lax.stop_gradient(y), lambda cotangent: pull(cotangent)[0]

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """One program per shapes. Whose weights `f` reads shows when it is traced: see `weights`."""
        return compiled(f)

    def iterate(self, step: Callable[..., Any], model: Any = None) -> Callable[..., dict[str, Array]]:
        """One program for the whole loop: `first` and `last` are numbers in it, so that others do not retrace."""

        def loop(carry: Any, rows: Any, shared: Any, first: Array, last: Array) -> Any:
            return lax.fori_loop(first, last, lambda k, carry: step(carry, rows, shared, k), carry)

        whole, one = compiled(loop), compiled(step)

        def run(carry: Any, rows: Any, shared: Any, first: int, n: int) -> dict[str, Array]:
            if self.loops:
                return whole(dict(carry), rows, shared, np.int32(first), np.int32(first + n))
            for k in range(first, first + n):
                carry = one(dict(carry), rows, shared, np.int32(k))
            return dict(carry)

        return run

    def select(self, rows: Array, a: Array, b: Array) -> Array:
        """Whole rows by a bool vector."""
        return jnp.where(rows.reshape(rows.shape + (1,) * (a.ndim - 1)), a, b)

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        """(N, C), int (N,) -> (N,): stable, and its gradient needs no scatter."""
        hot = labels[:, None] == jnp.arange(logits.shape[-1], dtype=labels.dtype)
        return -jnp.sum(jnp.where(hot, jax.nn.log_softmax(logits), 0), axis=-1)

    def synchronize(self) -> None:
        """Waits for every array that is under way."""
        jax.block_until_ready(jax.live_arrays())


def _check_floating(x: Array) -> None:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise DataError(f"a gradient was asked with respect to {x.dtype}. Cast to a floating dtype first: xp.astype.")
