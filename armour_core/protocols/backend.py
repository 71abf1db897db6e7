"""What a framework adapter promises: a namespace of functions, and a dozen primitives. That is its whole price."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from armour_core.rng import Rng

Array = Any  # a native tensor; neutral code never asks which
State = Mapping[str, Array]

NAMESPACE = frozenset(
    # creation (each takes dtype=; the backend's device is where things appear)
    "zeros ones full zeros_like ones_like full_like arange eye linspace "
    # element by element
    "abs sign sqrt square exp expm1 log log1p sin cos tan tanh atanh acos floor ceil round trunc pow "
    "maximum minimum clip isfinite isnan isinf logical_and logical_or logical_not logical_xor "
    "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift remainder floor_divide where "
    # reductions (axis=, keepdims=)
    "sum prod mean var std max min any all argmax argmin cumulative_sum "
    # shape
    "reshape broadcast_to expand_dims squeeze permute_dims moveaxis concat stack flip roll tile repeat "
    # looking up and ordering
    "take take_along_axis sort argsort searchsorted "
    # linear algebra
    "matmul tensordot vecdot matrix_transpose "
    # types and constants
    "astype isdtype finfo result_type float16 float32 float64 int32 int64 uint8 bool inf nan pi e newaxis".split()
)
"""The names that every backend's `xp` promises, with the meaning of the Python array API standard 2024.12
(exceptions, in each backend alike: `clip` and `where` take Python scalars; `argsort` is stable by default)."""


class Backend(Protocol):
    """One framework on one device. Tensors are native; `xp` is a module of functions over them.

    Two functions may be added where they are faster: `unit` and `normal`, which `armour_core.rng` describes.
    """

    name: str  #: "torch"
    device: str  #: "cpu", "cuda:0", "GPU:0": where `asarray` places; nothing else moves anything
    xp: ModuleType  #: the functions of NAMESPACE
    capabilities: frozenset[str]  #: "autodiff", and later "taps", "weights", "train", ...
    static_shapes: bool  #: compiled code has one version per shape: the driver keeps row counts to powers of two

    def asarray(self, x: Any, dtype: Any = None) -> Array:
        """Place `x` (NumPy, native, list, number) on the device. dtype: an xp dtype or its name; None keeps x's own."""

    def to_numpy(self, x: Array) -> np.ndarray:
        """Bring a tensor to the host. Waits for it. Never called inside an algorithm's loop."""

    def is_native(self, x: Any) -> bool:
        """Whether `x` is a tensor of this framework."""

    def rng(self, seed: int) -> Rng:
        """The root generator for a seed: `armour_core.rng.root(self, seed)`; see there."""

    def mix(self, bits: Array) -> Array:
        """The lowbias32 finaliser on int32 tensors, wrapping: the same bits on every backend."""

    def stop_gradient(self, x: Array) -> Array:
        """`x`, as a constant."""

    def value_and_grad(
        self, f: Callable[[Array], tuple[Array, Any]]
    ) -> Callable[[Array], tuple[tuple[Array, Any], Array]]:
        """From `f(x) -> (scalar, aux)` make `x -> ((scalar, aux), gradient)`. Nobody's `.grad` is written; aux and
        value come back detached. Works inside `compile` and `iterate`. `f` may ignore x: the gradient is then zero."""

    def vjp(self, f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """`(f(x), pull)` where `pull(cotangent)` is the vector-Jacobian product, and may be called several times."""

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """`f` over tensors and dicts of tensors, compiled where that pays (TF: tf.function without autograph). What it
        returns are constants: gradients are taken by `value_and_grad` and `vjp` within. Python values in the closure
        are baked in: the caller keys its cache with them. `model`: whose weights `f` reads, for backends that must
        pass these as arguments."""

    def iterate(
        self, step: Callable[[State, State, State, Array], State], model: Any = None
    ) -> Callable[..., dict[str, Array]]:
        """From `step(carry, rows, shared, k) -> carry` make `run(carry, rows, shared, first, n) -> carry`, which calls
        it for k = first .. first + n - 1 (k: 0-d int32 tensor; first, n: ints that do not retrace). Keys, shapes and
        dtypes of `carry` never change. TF and JAX compile the whole loop; torch at most the step."""

    def select(self, rows: Array, a: Array, b: Array) -> Array:
        """Whole rows by a bool vector: row i of `a` where `rows[i]`, else of `b`. Any rank."""

    def cross_entropy(self, logits: Array, labels: Array) -> Array:
        """`(N, C)` logits and int32 labels `(N,)` -> `(N,)`, stable, differentiable, fused where the framework can."""

    def synchronize(self) -> None:
        """Wait until the device has done all that was asked (for timing)."""
