"""TensorFlow as a backend: whole chunks of steps are compiled into one graph."""

import contextlib
import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from armour_backends.tensorflow import namespace
from armour_backends.tensorflow.load import tf
from armour_backends.tensorflow.rng import mix, unit
from armour_core.errors import ConfigError, ContractError, DataError
from armour_core.rng import Rng, root

Array = Any


def backend_for(device: str = "auto") -> "TensorFlowBackend":
    """The backend of a device: "auto" (a GPU where there is one), "cpu", "CPU:1", "GPU:0" ("cuda:0" means the same)."""
    devices = _devices()
    if device == "auto":
        return _backend("GPU:0" if "GPU:0" in devices else "CPU:0")
    kind, _, number = device.upper().replace("CUDA", "GPU").partition(":")
    name = f"{kind}:{number or 0}"
    if name not in devices:
        known = ", ".join("cpu" if d == "CPU:0" else d for d in devices)
        raise ConfigError(f"device {device!r}: TensorFlow has no such device here. There is: {known}; or say 'auto'.")
    return _backend(name)


@functools.cache
def _backend(name: str) -> "TensorFlowBackend":
    return TensorFlowBackend("cpu" if name == "CPU:0" else name)


def _graph(f: Callable[..., Any]) -> Any:
    graph = tf.function(f, autograph=False)
    graph._omit_frequent_tracing_warning = True  # a graph for each shape is meant: batches shrink as rows are found
    return graph


def _devices() -> list[str]:
    _grow_gpu_memory()
    return [
        d.name.removeprefix("/device:") for d in tf.config.list_logical_devices() if d.device_type in ("CPU", "GPU")
    ]


@functools.cache
def _grow_gpu_memory() -> None:
    """Take GPU memory as it is needed, not all at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        # RuntimeError: the caller has used the GPU already; their choice stands, and nothing can change it
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)


class TensorFlowBackend:
    """`armour_core.protocols.backend.Backend` over TensorFlow."""

    name = "tensorflow"
    capabilities: frozenset[str] = frozenset({"autodiff"})
    static_shapes = True

    def __init__(self, device: str = "cpu"):
        self.device = device
        self._device = "/CPU:0" if device == "cpu" else f"/{device}"
        own_choice = "/GPU:0" if tf.config.list_logical_devices("GPU") else "/CPU:0"
        # Where TensorFlow computes by itself no scope is needed; elsewhere results would come back to that place
        self.xp: ModuleType = namespace if self._device == own_choice else namespace.on(self._device)

    def __repr__(self) -> str:
        return f"TensorFlowBackend({self.device!r})"

    def asarray(self, x: Any, dtype: Any = None) -> Array:
        """Copies, unless `x` is a tensor on this device."""
        dtype = None if dtype is None else tf.as_dtype(dtype)
        with tf.device(self._device):
            if not tf.is_tensor(x):
                return self._placed(x, dtype)
            x = tf.convert_to_tensor(x)  # of a variable
            if tf.executing_eagerly() and not x.device.endswith(f"device:{self._device[1:]}"):
                x = tf.identity(x)
            return x if dtype is None else tf.cast(x, dtype)

    def _placed(self, x: Any, dtype: Any) -> Array:
        if isinstance(x, np.ndarray | np.generic):
            if x.dtype.kind not in "biufcV":  # V: bfloat16
                raise DataError(f"TensorFlow cannot hold numbers of dtype {x.dtype}. Pass numbers.")
            x = tf.constant(x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("=")))
            return x if dtype is None else tf.cast(x, dtype)
        return tf.convert_to_tensor(x, dtype)

    def to_numpy(self, x: Array) -> np.ndarray:
        """A copy, or a view nobody should write into. bfloat16, which NumPy lacks, comes as float32."""
        return np.asarray((tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x).numpy())

    def is_native(self, x: Any) -> bool:
        """Tensors and variables."""
        return isinstance(x, tf.Tensor | tf.Variable)

    def rng(self, seed: int) -> Rng:
        """The root generator for a seed."""
        return root(self, seed)

    def mix(self, bits: Array) -> Array:
        """The lowbias32 finaliser."""
        with tf.device(self._device):
            return mix(bits)

    def unit(self, rows: Any, elements: Any) -> Array:
        """What `rng.uniform` is made of."""
        with tf.device(self._device):
            return unit(rows, elements)

    def stop_gradient(self, x: Array) -> Array:
        """`x`, as a constant."""
        with tf.device(self._device):
            return tf.stop_gradient(x)

    def value_and_grad(
        self, f: Callable[[Array], tuple[Array, Any]]
    ) -> Callable[[Array], tuple[tuple[Array, Any], Array]]:
        """With a tape that watches x alone: no variable is recorded."""

        def run(x: Array) -> tuple[tuple[Array, Any], Array]:
            _check_floating(x)
            with tf.device(self._device):
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(x)
                    value, aux = f(x)
                gradient = _gradient(tape, value, x, None)
                return (tf.stop_gradient(value), tf.nest.map_structure(_constant, aux)), gradient

        return run

    def vjp(self, f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The tape lives as long as `pull` does."""
        _check_floating(x)
        with tf.device(self._device):
            with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                tape.watch(x)
                y = f(x)
            constant = tf.stop_gradient(y)

        def pull(cotangent: Array) -> Array:
            with tf.device(self._device):
                return _gradient(tape, y, x, cotangent)

        return constant, pull

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """One graph per shapes. Without autograph: it hides exceptions, and neutral code has no need of it."""
        graph = _graph(f)

        def run(*args: Any) -> Any:
            with tf.device(self._device):  # places the operations traced within, and what comes out
                return graph(*args)

        return run

    def iterate(self, step: Callable[..., Any], model: Any = None) -> Callable[..., dict[str, Array]]:
        """The whole loop is one graph: `first` and `n` are tensors in it, so that other numbers do not retrace."""
        graphs: dict[
            Any, Any
        ] = {}  # by the names in the three dicts: lists of tensors cross into a graph faster than dicts

        def run(carry: Any, rows: Any, shared: Any, first: int, n: int) -> dict[str, Array]:
            names = (tuple(carry), tuple(rows), tuple(shared))
            if names not in graphs:
                graphs[names] = self._loop(step, names)
            with tf.device("/CPU:0"):  # where TensorFlow keeps the int32 arguments of a graph
                span = tf.constant((first, first + n), tf.int32)
            with tf.device(self._device):
                values = graphs[names]([*carry.values()], [*rows.values()], [*shared.values()], span)
            return dict(zip(names[0], values))

        return run

    def _loop(self, step: Callable[..., Any], names: tuple[tuple[str, ...], ...]) -> Any:
        ours, theirs, common = names

        def loop(carry: list[Array], row_values: list[Array], shared_values: list[Array], span: Array) -> Any:
            rows, shared = dict(zip(theirs, row_values)), dict(zip(common, shared_values))

            def body(k: Array, *values: Array) -> tuple[Array, ...]:
                new = step(dict(zip(ours, values)), rows, shared, k)
                if set(new) != set(ours):
                    raise ContractError(
                        f"a step turned a state of {sorted(ours)} into one of {sorted(new)}. Keys never change."
                    )
                return (k + 1, *(new[name] for name in ours))

            _, *values = tf.while_loop(
                lambda k, *_: k < span[1],
                body,
                (span[0], *carry),
                shape_invariants=(tf.TensorShape(()), *(value.shape for value in carry)),
                parallel_iterations=1,
                maximum_iterations=span[1] - span[0],
            )
            return values

        return _graph(loop)

    def select(self, rows: Array, a: Array, b: Array) -> Array:
        """Whole rows by a bool vector: the old Select op copies rows; a broadcast `where` costs five times as much."""
        with tf.device(self._device):
            return tf.raw_ops.Select(condition=rows, x=a, y=b)

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        """TensorFlow's own."""
        with tf.device(self._device):
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    def synchronize(self) -> None:
        """Waits for the GPU's queue; eager CPU operations are done when they return."""
        if self.device != "cpu":
            tf.test.experimental.sync_devices()


def _check_floating(x: Array) -> None:
    if not x.dtype.is_floating:
        raise DataError(
            f"a gradient was asked with respect to {x.dtype.name}. Cast to a floating dtype first: xp.astype."
        )


def _gradient(tape: tf.GradientTape, y: Array, x: Array, cotangent: Array | None) -> Array:
    gradient = tape.gradient(y, x, cotangent, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return tf.convert_to_tensor(gradient)  # of x gathered along its first axis it is IndexedSlices


def _constant(value: Any) -> Any:
    return tf.stop_gradient(value) if tf.is_tensor(value) else value
