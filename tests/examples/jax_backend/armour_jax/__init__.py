"""JAX for armour: the backend, and which objects belong to it. Imports JAX only when a network of it is wrapped."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field, setters

from armour_core import Spec, hookimpl
from armour_core.detection import frameworks, takes_arrays, within

NAME = "jax"


@define(eq=False)
class JaxModel:
    """A network in JAX: a pure function `apply(params, x) -> outputs`, and the weights that it is given.

    model = armour.wrap(JaxModel(apply, params), bounds=(0, 1))

    The weights are read at each call: `net.params = better` is seen by what is wrapped and compiled already.
    """

    apply: Callable[[Any, Any], Any] = field(on_setattr=setters.frozen)
    params: Any  #: any pytree of arrays: all that the outputs depend on, beside x


@hookimpl
def armour_specs() -> list[Spec]:
    """The backend."""
    return [
        Spec(
            kind="backend",
            name=NAME,
            target="armour_jax.backend:backend_for",
            summary="JAX: a pure function with its weights, JaxModel(apply, params), or a function of x alone",
        )
    ]


@hookimpl
def armour_infer_backend(net: Any) -> str | None:
    """A `JaxModel`, and functions whose code uses JAX's arrays."""
    return NAME if within(net, "armour_jax") or _is_function(net) else None


@hookimpl
def armour_wrap_model(net: Any, device: str, options: Mapping[str, Any]) -> Any:
    """The adapter of a `JaxModel` or a function."""
    if options.get("backend") != NAME:
        return None
    from armour_jax.model import net_of

    return net_of(net, device, options)


def _is_function(net: Any) -> bool:
    if isinstance(net, type) or not callable(net):
        return False
    used = frameworks(net)
    return bool(used & {"jax", "jaxlib"}) and not used & {"torch", "tensorflow"} and not takes_arrays(net)
