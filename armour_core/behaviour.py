"""How a network behaves from call to call, found out by calling it: chance, company of other rows, gradients."""

import numpy as np

from armour_core.admission import dtype_name, one_line
from armour_core.errors import DataError
from armour_core.network import Network
from armour_core.protocols.backend import Array
from armour_core.watch import Watched


def repeated(network: Network, x: Array, raw: Array, bounds: tuple[float, float]) -> list[str]:
    """Are equal calls equal, and rows independent of their company? Warnings; `network.randomized` where they differ.

    raw: the outputs for x. Raises DataError for a network that takes this number of rows and no other.
    """
    name, host = network.net.name, network.backend.to_numpy
    seen, tolerance = host(raw), _tolerance(network, raw)
    if network.randomized or _differ(seen, host(network.raw(x)), tolerance):
        network.randomized = True
        return [f"{name} is random in evaluation mode: two equal calls differ. Average over draws (EOT) to attack it"]
    lo, hi = bounds
    other = x[:1, ...] if len(seen) > 1 else network.backend.xp.concat([x, lo + hi - x], axis=0)  # fewer rows, or more
    try:
        again = host(network.raw(other))[:1]
    except Exception as error:
        raise DataError(
            f"The network takes a batch of {len(seen)}, but not one of {other.shape[0]}. It says: {one_line(error)}\n"
            "  Batches of any size are wanted: build or export it with a dynamic batch size."
        ) from error
    if not _differ(seen[:1], again, tolerance):
        return []
    names = network.net.couples() if isinstance(network.net, Watched) else ()
    suspects = f" (look at {', '.join(names[:3])})" if names else ""
    return [
        f"{name} mixes the rows of a batch in evaluation mode{suspects}: a row's outputs depend on its company, so "
        "results depend on batch_size"
    ]


def unsloped(network: Network, x: Array) -> tuple[str | None, list[str]]:
    """Why no gradient can be taken (None when one can), and warnings where it cannot, is zero, or is not finite."""
    name, backend = network.net.name, network.backend
    xp = backend.xp

    def energy(z: Array) -> tuple[Array, tuple[()]]:
        y = network.raw(z)
        return xp.sum(y * y), ()

    try:
        _, gradient = backend.value_and_grad(energy)(x[: min(2, x.shape[0]), ...])
    except Exception as error:
        reason = one_line(error, 200)
        return reason, [f"{name} gives no gradients: {reason}"]
    if not bool(xp.all(xp.isfinite(gradient))):
        return None, [
            f"gradients of {name} are not finite: attacks that climb them will fail for no merit of the model"
        ]
    if not bool(xp.any(gradient != 0)):
        return None, [
            f"no gradient of {name} reaches the input: it detaches or rounds on the way, or its units are saturated. "
            "Gradient attacks will not move; use score-based ones such as square"
        ]
    return None, []


def _tolerance(network: Network, raw: Array) -> float:
    """Share of the largest output by which equal rows may differ, since other batch sizes take other kernels."""
    precision = str(getattr(network.net, "computes_in", network.net.dtype))
    if "16" in precision or "16" in dtype_name(raw):
        return 5e-2
    return 1e-3 if network.backend.device == "cpu" else 1e-2  # TF32 on GPUs


def _differ(a: np.ndarray, b: np.ndarray, tolerance: float) -> bool:
    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = max(1e-3, float(np.max(abs(a), initial=0.0)))
    return bool(np.max(abs(a - b), initial=0.0) > tolerance * scale)
