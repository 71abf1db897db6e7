"""A JAX network behind one small interface."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from armour_core.admission import one_line
from armour_core.detection import captured
from armour_core.errors import ConfigError
from armour_jax import JaxModel
from armour_jax.backend import JaxBackend, backend_for, name_of
from armour_jax.weights import weights_of

Array = Any


def net_of(net: Any, device: str, options: Mapping[str, Any]) -> "JaxNet":
    """The adapter of a `JaxModel`, or of a function of x alone. Raises ConfigError."""
    forward, name = options.get("forward"), options.get("input")
    if isinstance(net, JaxModel):
        apply = net.apply
        if forward is not None:
            return JaxNet(net, device, lambda params, x: forward(JaxModel(apply, params), x))
        return JaxNet(net, device, (lambda params, x: apply(params, **{name: x})) if name else apply)
    if forward is not None:
        return FunctionNet(net, device, lambda _, x: forward(net, x))
    if not callable(net):
        found = type(net).__qualname__
        raise ConfigError(f"wrap(backend='jax'): a {found} is not callable. Pass JaxModel(apply, params).")
    return FunctionNet(net, device, lambda _, x: net(**{name: x}) if name else net(x))


class JaxNet:
    """`armour_core.protocols.model.Net` over a pure function: there is no mode to set and nothing that could move."""

    local = True
    outputs = None
    num_classes = None
    channel_axis = None
    capabilities = frozenset({"autodiff", "scores", "labels"})

    def __init__(self, native: Any, device: str, call: Callable[[Any, Array], Any]) -> None:
        """native: what the user gave. call: `(params, x) -> outputs`."""
        self.native = native
        self.name, self.notes = self._described()
        self._call = call
        leaves = jax.tree.leaves(self.weights)
        self.backend: JaxBackend = _backend(device, leaves, self.name)
        floating = [leaf.dtype for leaf in map(jnp.asarray, leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        self.dtype = floating[0].name if floating else "float32"
        # what the namespace has no name for (bfloat16) is cast to at the network's door
        self._cast = None if hasattr(self.backend.xp, self.dtype) else floating[0]

    @property
    def weights(self) -> Any:
        """The user's, as they are now."""
        return self.native.params

    def forward(self, x: Array) -> Array:
        """The function's answer, with the weights that hold here."""
        return self._call(weights_of(self), x if self._cast is None else x.astype(self._cast))

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """A pure function has no modes."""
        return contextlib.nullcontext([])

    def buffers(self) -> Mapping[str, np.ndarray]:
        """None: a pure function moves nothing."""
        return {}

    def state(self) -> Mapping[str, np.ndarray]:
        """All weights, by their paths in the tree."""
        return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree.leaves_with_path(self.weights)}

    def untraceable(self, x: Array) -> str | None:
        """Traces `forward` once: a Python `if` on an array, or a conversion to NumPy, fails there."""
        try:
            jax.eval_shape(self.forward, x)
        except Exception as error:
            return one_line(error, 90)
        return None

    def _described(self) -> tuple[str, tuple[str, ...]]:
        name = getattr(self.native.apply, "__name__", "<lambda>")
        return "JaxModel" if name == "<lambda>" else name, ()


class FunctionNet(JaxNet):
    """A function of x alone: it shows no weights, and what it refers to is fixed when it is compiled."""

    weights = ()

    def _described(self) -> tuple[str, tuple[str, ...]]:
        name = getattr(self.native, "__name__", None) or type(self.native).__name__
        if not any(isinstance(thing, jax.Array) for thing in captured(self.native)):
            return name, ()
        note = f"arrays that {name} refers to are fixed when it is compiled; those of JaxModel(apply, params) are not"
        return name, (note,)


def _backend(device: str, leaves: list[Any], name: str) -> JaxBackend:
    """The backend where the weights are; they are never moved."""
    own = sorted({name_of(place) for leaf in leaves if isinstance(leaf, jax.Array) for place in leaf.devices()})
    if not own:
        return backend_for(device)
    if len(own) > 1:
        places = ", ".join(own)
        raise ConfigError(f"wrap: the weights of {name} are on {places}; one device is wanted: jax.device_put.")
    if device != "auto" and backend_for(device).device != own[0]:
        raise ConfigError(
            f"wrap(device={device!r}): the weights of {name} are on {own[0]}, and wrap never moves a network. Move "
            f"them with jax.device_put, or leave device out to compute on {own[0]}."
        )
    return backend_for(own[0])
