"""NumPy: the backend of scikit-learn estimators and of plain functions, which it takes when nobody else does."""

from collections.abc import Mapping
from typing import Any

from armour_core import Spec, hookimpl
from armour_core.detection import frameworks, takes_arrays, within

NAME = "numpy"


@hookimpl
def armour_specs() -> list[Spec]:
    """The backend."""
    return [
        Spec(
            kind="backend",
            name=NAME,
            target="armour_backends.numpy.backend:backend_for",
            summary="NumPy: scikit-learn estimators and plain functions, without gradients",
        )
    ]


@hookimpl(trylast=True)
def armour_infer_backend(net: Any) -> str | None:
    """Estimators, and callables that belong to no framework; a function that converts arrays itself counts as one."""
    if within(net, "sklearn"):
        return NAME
    if isinstance(net, type) or not callable(net) or within(net, "torch", "tensorflow", "keras", "tf_keras"):
        return None
    if hasattr(net, "_torchdynamo_orig_callable"):
        return None
    return NAME if takes_arrays(net) or not frameworks(net) & {"torch", "tensorflow"} else None


@hookimpl
def armour_wrap_model(net: Any, device: str, options: Mapping[str, Any]) -> Any:
    """The adapter of an estimator or a function."""
    if options.get("backend") != NAME:
        return None
    from armour_backends.numpy.model import net_of

    return net_of(net, device, options)
