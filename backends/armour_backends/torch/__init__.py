"""PyTorch: the backend, and which objects belong to it. Imports torch only when a network of it is wrapped."""

from collections.abc import Mapping
from typing import Any

from armour_core import Spec, hookimpl
from armour_core.detection import frameworks, lineage, takes_arrays, within

NAME = "torch"


@hookimpl
def armour_specs() -> list[Spec]:
    """The backend."""
    return [
        Spec(
            kind="backend",
            name=NAME,
            target="armour_backends.torch.backend:backend_for",
            tags={"autodiff"},
            extra="torch",
            summary="PyTorch: modules, scripted and exported programs, Keras on torch",
        )
    ]


@hookimpl
def armour_infer_backend(net: Any) -> str | None:
    """torch objects, Keras models that compute with torch, and functions whose code uses torch tensors."""
    return NAME if _is_object(net) or _is_function(net) else None


@hookimpl
def armour_wrap_model(net: Any, device: str, options: Mapping[str, Any]) -> Any:
    """The adapter of a network or function of torch."""
    if options.get("backend") != NAME:
        return None
    from armour_backends.torch.model import net_of

    return net_of(net, device, options)


def _is_object(net: Any) -> bool:
    if within(net, "keras"):
        return "keras.src.backend.torch.layer.TorchLayer" in lineage(net)
    return not within(net, "tf_keras") and within(net, "torch")


def _is_function(net: Any) -> bool:
    if isinstance(net, type) or not callable(net) or within(net, "keras", "tf_keras", "tensorflow", "sklearn"):
        return False
    if hasattr(net, "_torchdynamo_orig_callable"):
        return True
    used = frameworks(net)
    return "torch" in used and "tensorflow" not in used and not takes_arrays(net)
