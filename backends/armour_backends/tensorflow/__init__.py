"""TensorFlow: the backend, and which objects belong to it. Imports TensorFlow only when a network of it is wrapped."""

from collections.abc import Mapping
from typing import Any

from armour_core import ConfigError, Spec, hookimpl
from armour_core.detection import frameworks, lineage, takes_arrays, within

NAME = "tensorflow"


@hookimpl
def armour_specs() -> list[Spec]:
    """The backend."""
    return [
        Spec(
            kind="backend",
            name=NAME,
            target="armour_backends.tensorflow.backend:backend_for",
            tags={"autodiff"},
            extra="tensorflow",
            summary="TensorFlow: Keras 3 models, tf.Module, functions, SavedModels",
        )
    ]


@hookimpl
def armour_infer_backend(net: Any) -> str | None:
    """Keras models that compute with TensorFlow, its own objects, and functions whose code uses its tensors."""
    if within(net, "tf_keras"):
        raise ConfigError(
            f"wrap: {type(net).__qualname__} is a model of tf_keras, Keras 2, which is not supported.\n"
            "  Convert it to Keras 3: save it with tf_keras as model.h5 or model.keras, then "
            "keras.models.load_model(path) in Keras 3, or rebuild it and copy the weights: "
            "new.set_weights(old.get_weights())."
        )
    return NAME if _is_object(net) or _is_function(net) else None


@hookimpl
def armour_wrap_model(net: Any, device: str, options: Mapping[str, Any]) -> Any:
    """The adapter of a network or function of TensorFlow."""
    if options.get("backend") != NAME:
        return None
    from armour_backends.tensorflow.model import net_of

    return net_of(net, device, options)


def _is_object(net: Any) -> bool:
    if within(net, "keras"):
        return "keras.src.backend.tensorflow.layer.TFLayer" in lineage(net)
    return within(net, "tensorflow")


def _is_function(net: Any) -> bool:
    if isinstance(net, type) or not callable(net) or within(net, "keras", "torch", "sklearn"):
        return False
    used = frameworks(net)
    return "tensorflow" in used and "torch" not in used and not takes_arrays(net)
