"""What a backend promises, as far as a page of checks can ask: its names, its primitives, and the reference models."""

from __future__ import annotations

from typing import Any

import numpy as np

from armour_core import registry, rng
from armour_core.errors import ArmourError, PluginLoadError
from armour_core.protocols.backend import NAMESPACE
from armour_core.specs import Spec
from armour_core.testing.reference import Setup
from armour_core.testing.verdicts import NotJudged, expect

_MEMBERS = (
    *("name", "device", "xp", "capabilities", "static_shapes", "asarray", "to_numpy", "is_native", "rng", "mix"),
    *("stop_gradient", "value_and_grad", "vjp", "compile", "iterate", "select", "cross_entropy", "synchronize"),
)


def _made(spec: Spec) -> Any:
    try:
        return registry.load(spec.kind, spec.id)("cpu")
    except (PluginLoadError, ArmourError) as error:
        raise NotJudged(f"it cannot be made here: {error}") from error


def has_every_name(spec: Spec) -> None:
    """All members of the Backend protocol, and all functions of the namespace."""
    backend = _made(spec)
    missing = [name for name in _MEMBERS if not hasattr(backend, name)]
    expect(not missing, f"the backend lacks {', '.join(missing)}: see armour_core.protocols.backend.Backend.")
    missing = sorted(name for name in NAMESPACE if not hasattr(backend.xp, name))
    expect(not missing, f"its xp lacks {', '.join(missing)}: see armour_core.protocols.backend.NAMESPACE.")


def draws_the_same_bits(spec: Spec) -> None:
    """Its hash is the one of all backends."""
    backend = _made(spec)
    bits = np.array([0, 1, -1, 12345, -(2**31), 2**31 - 1], dtype=np.int32)
    wanted = [rng.mix_int(int(value)) for value in bits]
    found = backend.to_numpy(backend.mix(backend.asarray(bits))).tolist()
    expect(found == wanted, f"mix({bits.tolist()}) is {found}, and should be {wanted}: lowbias32, in wrapping int32.")
    source = backend.rng(3).bind(backend.asarray(np.arange(4, dtype=np.int32)), 2, None)
    drawn = backend.to_numpy(source.uniform((4, 5)))
    expect(
        drawn.dtype == np.float32 and drawn.min() >= 0 and drawn.max() <= 1,
        f"uniform draws are {drawn.dtype} in [{drawn.min()}, {drawn.max()}], and should be float32 in [0, 1].",
    )


def computes_the_reference_models(spec: Spec) -> None:
    """The reference models predict what they predict in NumPy, and gradients equal central differences."""
    backend = _made(spec)
    for shape in ("linear", "mlp", "nchw", "nhwc"):
        setup = Setup(shape)
        model = setup.model(backend, "float32")
        outputs = backend.to_numpy(model(setup.data.x))
        expect(
            np.array_equal(outputs.argmax(axis=1), setup.data.predicted),
            f"the reference model {shape!r} predicts {outputs.argmax(axis=1).tolist()}, not "
            f"{setup.data.predicted.tolist()}: look at moveaxis, matmul, tanh and reshape.",
        )
    if "autodiff" not in backend.capabilities:
        return
    point = np.array([[0.5, -1.0, 2.0]])

    def cubes(x: Any) -> tuple[Any, Any]:
        return backend.xp.sum(x * x * x), x

    (value, _), gradient = backend.value_and_grad(cubes)(backend.asarray(point, "float32"))
    found = backend.to_numpy(gradient)
    expect(
        abs(found - 3 * point**2).max() < 1e-2 and abs(float(backend.to_numpy(value)) - (point**3).sum()) < 1e-3,
        f"value_and_grad of the sum of cubes at {point.tolist()} gives the gradient {found.tolist()}.",
    )


CHECKS = (has_every_name, draws_the_same_bits, computes_the_reference_models)
