"""TensorFlow's networks behind one small interface: Keras models, modules, functions, SavedModels."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from armour_backends import keras
from armour_backends.tensorflow.backend import TensorFlowBackend, backend_for
from armour_backends.tensorflow.load import tf
from armour_backends.tensorflow.streams import global_streams
from armour_core.admission import one_line
from armour_core.detection import captured, within
from armour_core.errors import ConfigError
from armour_core.watch import Stream

Array = Any


def net_of(net: Any, device: str, options: Mapping[str, Any]) -> "TensorFlowNet":
    """The adapter of a TensorFlow network or function. Raises ConfigError."""
    forward, name = options.get("forward"), options.get("input")
    if within(net, "keras"):
        return KerasNet(net, keras.call_of(net, forward, name), device)
    if forward is not None:
        return TensorFlowNet(net, lambda x: forward(net, x), device, _variables(net))
    if within(net, "tensorflow") and hasattr(net, "signatures"):
        return _saved(net, device, name)
    if callable(net):
        dtype = _signature_dtype(net)
        return TensorFlowNet(net, (lambda x: net(**{name: x})) if name else net, device, _variables(net), dtype)
    raise ConfigError(
        f"wrap: a {type(net).__module__}.{type(net).__qualname__} is not callable. Say how it is called: wrap(net, "
        "forward=lambda net, x: ...)."
    )


class TensorFlowNet:
    """`armour_core.protocols.model.Net` over anything TensorFlow can call; it can put back what evaluation moves."""

    local = True
    outputs = None
    num_classes = None
    channel_axis: int | None = None

    def __init__(
        self,
        native: Any,
        call: Callable[[Array], Any],
        device: str,
        variables: Sequence[Any] = (),
        dtype: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """variables: what the network computes with, as far as it says. dtype: of its input, where it says so."""
        self.native = native
        self.name = getattr(native, "__name__", None) or type(native).__name__.lstrip("_")
        self.capabilities = frozenset({"autodiff", "scores", "labels"})
        self.notes = notes
        self.backend: TensorFlowBackend = _backend(device, variables, self.name)
        self.dtype = dtype or _floating(variables)
        self._call = call
        self._variables = tuple(variables)
        # what the namespace has no name for (bfloat16) is cast to at the network's door
        self._cast = None if self.dtype is None or hasattr(self.backend.xp, self.dtype) else tf.as_dtype(self.dtype)

    def forward(self, x: Array) -> Array:
        """The network's call, with training=False where it has modes."""
        return self._call(x if self._cast is None else tf.cast(x, self._cast))

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """Modes are arguments here: nothing to set and nothing to restore."""
        return contextlib.nullcontext([])

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Host copies of the variables that are not trained."""
        return {name: v.numpy() for name, v in self._moving().items()}

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write them back."""
        there = self._moving()
        for name, value in values.items():
            there[name].assign(value)

    def streams(self) -> Sequence[Stream]:
        """TensorFlow's global generators, as far as their state can be put back."""
        return global_streams()

    def moved(self, names: Sequence[str]) -> str:
        """Nothing more is known than that they moved."""
        return (
            "Its call updates them whatever is asked; its outputs may depend on earlier calls or on the rest of the "
            "batch."
        )

    def couples(self) -> Sequence[str]:
        """None that are known."""
        return ()

    def state(self) -> Mapping[str, np.ndarray]:
        """All variables by place and name; nothing for a function, whose code may hold more."""
        if not isinstance(self.native, tf.Module) and not hasattr(self.native, "signatures"):
            return {}
        return {f"{place:05d}/{v.name}": v.numpy() for place, v in enumerate(self._variables)}

    def untraceable(self, x: Array) -> str | None:
        """Traces `forward` once: a Python `if` on a tensor, or a conversion to NumPy, fails there and not eagerly."""
        call = self._call
        reason = self._trace(x)
        if reason is None:
            return None
        if rewritten := _without_python_if(self.native, call):
            self._call = rewritten
            if self._trace(x) is None:
                return None
            self._call = call
        return reason

    def _trace(self, x: Array) -> str | None:
        reason = None
        for rows in (None, x.shape[0]):  # code that computes with x.shape[0] traces for a known number of rows alone
            spec = tf.TensorSpec((rows, *x.shape[1:]), x.dtype)
            try:
                tf.function(self.forward, autograph=False, input_signature=[spec]).get_concrete_function()
            except Exception as error:
                reason = reason or one_line(error, 160)
            else:
                return None
        return reason

    def _moving(self) -> dict[str, Any]:
        return {
            f"{place:05d}/{v.name}": v
            for place, v in enumerate(self._variables)
            if not v.trainable and v.dtype != tf.resource
        }


class KerasNet(TensorFlowNet):
    """A Keras 3 model, called with training=False; never through `predict`, which keeps a function of its own."""

    def __init__(self, native: Any, call: Callable[[Array], Any], device: str) -> None:
        variables = [v.value for v in native.variables]
        super().__init__(native, call, device, variables, keras.dtype_of(native))
        self.channel_axis = keras.channel_axis(native)
        self.computes_in = keras.computes_in(native)

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Averages and counters."""
        return keras.buffers(self.native, np.asarray)

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write them back."""
        keras.restore(self.native, values)

    def streams(self) -> Sequence[Stream]:
        """TensorFlow's generators, and the model's seed states."""
        return [*global_streams(), *keras.seed_streams(self.native, np.asarray)]

    def moved(self, names: Sequence[str]) -> str:
        """A layer with training=True hard-coded."""
        return keras.why_moved()

    def couples(self) -> Sequence[str]:
        """BatchNormalization, when it is called in training mode."""
        return keras.couples(self.native)

    def state(self) -> Mapping[str, np.ndarray]:
        """All weights by position."""
        return keras.state(self.native, np.asarray)

    def untraceable(self, x: Array) -> str | None:
        """Models made of Keras' own layers alone always trace."""
        if all(type(layer).__module__.startswith("keras.") for layer in keras.layers(self.native)):
            return None
        return super().untraceable(x)


def _saved(net: Any, device: str, name: str | None) -> TensorFlowNet:
    """A loaded SavedModel: `serve` as `keras.Model.export` writes it, else `serving_default`, else its own call."""
    serve = getattr(net, "serve", None)
    if serve is not None and name is None and callable(serve):
        functions = getattr(serve, "concrete_functions", None) or [None]
        return TensorFlowNet(net, serve, device, _variables(net), _signature_dtype(functions[0]))
    if not net.signatures:
        if not callable(net):
            raise ConfigError(
                "wrap: this SavedModel has no signatures and is not callable. Export it with "
                "keras.Model.export(path), or tf.saved_model.save(module, path, "
                "signatures=module.__call__.get_concrete_function(...))."
            )
        return TensorFlowNet(net, net, device, _variables(net))
    which = "serving_default" if "serving_default" in net.signatures else sorted(net.signatures)[0]
    signature = net.signatures[which]
    inputs = signature.structured_input_signature[1]
    if name is None and len(inputs) != 1:
        raise ConfigError(
            f"wrap: the signature {which!r} of this SavedModel has {len(inputs)} inputs: {', '.join(sorted(inputs))}. "
            "Say which one x is: wrap(net, input=...); or fix the others: wrap(net, forward=lambda net, x: "
            "net.signatures[...](...))."
        )
    if name is not None and name not in inputs:
        raise ConfigError(f"wrap(input={name!r}): the signature {which!r} has the inputs {', '.join(sorted(inputs))}.")
    key = name or next(iter(inputs))
    notes = () if which == "serving_default" else (f"the signature {which!r} of the SavedModel is used",)
    variables = _variables(net) or signature.variables
    return TensorFlowNet(net, lambda x: signature(**{key: x}), device, variables, inputs[key].dtype.name, notes)


def _variables(net: Any) -> list[Any]:
    """What a module, function or loaded object says it computes with."""
    known = getattr(net, "variables", None)
    if known is not None:
        return list(known)
    found = {id(v): v for thing in captured(net) for v in ([thing] if isinstance(thing, tf.Variable) else _of(thing))}
    if not found and isinstance(python := getattr(net, "python_function", None), Callable):
        return _variables(python)
    return list(found.values())


def _of(thing: Any) -> list[Any]:
    if within(thing, "keras"):
        return [v.value for v in getattr(thing, "variables", ()) if hasattr(v, "value")]
    return list(thing.variables) if isinstance(thing, tf.Module) else []


def _floating(variables: Sequence[Any]) -> str | None:
    """The dtype of the first floating variable; None for a function that shows none: the dtype of the data then."""
    return next((v.dtype.base_dtype.name for v in variables if v.dtype.is_floating), None)


def _signature_dtype(function: Any) -> str | None:
    """The dtype of the first tensor that a function with a signature takes."""
    structured = getattr(function, "structured_input_signature", None) or getattr(function, "input_signature", None)
    for spec in tf.nest.flatten(structured) if structured else []:
        if isinstance(spec, tf.TensorSpec):
            return spec.dtype.name
    return None


def _backend(device: str, variables: Sequence[Any], name: str) -> TensorFlowBackend:
    """The backend where the network's variables are; they are never moved."""
    if not variables:
        return backend_for(device)
    own = str(variables[0].device).rpartition("device:")[2] or "CPU:0"
    if device == "auto":
        return backend_for(own)
    asked, here = backend_for(device), backend_for(own)
    if asked.device != here.device:
        raise ConfigError(
            f"wrap(device={device!r}): the variables of {name} are on {here.device}, and wrap never moves a network. "
            f"Build or load it under tf.device({device!r}), or leave device out to compute on {here.device}."
        )
    return asked


def _without_python_if(native: Any, call: Any) -> Callable[[Array], Any] | None:
    """A plain module's or function's code, its `if`s on tensors rewritten by autograph; None where that cannot be."""
    if call is not native:
        return None
    try:
        if isinstance(native, tf.Module):
            method = tf.autograph.to_graph(type(native).__call__)
            return lambda x: method(native, x)
        return tf.autograph.to_graph(native)
    except Exception:  # source not available, or beyond autograph: the reason why the trace failed is what is told
        return None
