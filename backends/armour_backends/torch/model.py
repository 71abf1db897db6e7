"""torch's networks behind one small interface: modules, compiled, scripted and exported ones, Keras on torch, functions."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from armour_backends import keras
from armour_backends.torch.backend import TorchBackend, backend_for
from armour_backends.torch.evaluation import Evaluation, modules
from armour_backends.torch.streams import streams_on
from armour_core.detection import captured, within
from armour_core.errors import ConfigError, DataError
from armour_core.watch import Stream

Array = Any
_CONVOLUTIONS = (nn.modules.conv._ConvNd,)


def net_of(net: Any, device: str, options: Mapping[str, Any]) -> "TorchNet":
    """The adapter of a torch network or function. Raises ConfigError."""
    forward, name = options.get("forward"), options.get("input")
    if isinstance(net, torch.export.ExportedProgram):
        return ExportedNet(net, net.module(), device, forward, name)
    if within(net, "keras"):
        return KerasNet(net, net, device, forward, name)
    if isinstance(net, nn.Module):
        owner = _owner(net)
        return TorchNet(owner, net, device, forward, name)
    if callable(net):
        return FunctionNet(net, device, forward, name)
    raise ConfigError(
        f"wrap(backend='torch'): a {type(net).__qualname__} is not callable. Pass a module or a function."
    )


def _owner(net: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and data parallelism: whose weights, flags and names count."""
    while True:
        if isinstance(net, nn.DataParallel | nn.parallel.DistributedDataParallel):
            net = net.module
        elif hasattr(net, "_orig_mod"):
            net = net._orig_mod
        else:
            return net


class TorchNet:
    """`armour_core.protocols.model.Net` over an `nn.Module`; it can put back what evaluation moves."""

    local = True
    outputs = None
    num_classes = None

    def __init__(
        self,
        native: Any,
        called: Callable[..., Any],
        device: str,
        forward: Callable[..., Any] | None = None,
        input: str | None = None,
    ) -> None:
        """native: whose weights and flags count. called: what answers (the compiled module, for instance)."""
        self.native = native
        self.name = _name(native)
        self.capabilities = frozenset({"autodiff", "scores", "labels"})
        self.dtype = self._dtype()
        self.channel_axis = self._channel_axis()
        self.notes: tuple[str, ...] = self._notes()
        self.backend: TorchBackend = _backend(device, self._tensors(), self.name)
        self._call = _call(called, forward, input)
        # what the namespace has no name for (bfloat16, float8) is cast to at the network's door
        self._cast = None if hasattr(self.backend.xp, self.dtype or "float32") else getattr(torch, self.dtype)

    def forward(self, x: Array) -> Array:
        """The network's call, in the mode it is in."""
        return self._call(x if self._cast is None else x.to(self._cast))

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """Evaluation mode, flag by flag: neither `eval` nor `train`, which users override, is called."""
        return Evaluation(self.native, self.name)

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Host copies of the buffers, and the training flags."""
        found = {name: _host(tensor) for name, tensor in self.native.named_buffers()}
        for name, module in self.native.named_modules():
            found[f"{name or 'the network'} (training flag)"] = np.asarray(bool(getattr(module, "training", False)))
        return found

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write buffers and flags back, in place."""
        there = dict(self.native.named_buffers())
        flags = {f"{name or 'the network'} (training flag)": module for name, module in self.native.named_modules()}
        for name, value in values.items():
            if name in there:
                _write(there[name], value)
            else:
                flags[name].training = bool(value)

    def streams(self) -> Sequence[Stream]:
        """torch's global generators: the CPU's and this device's."""
        return streams_on(self.backend.device)

    def moved(self, names: Sequence[str]) -> str:
        """An exported graph that updates BatchNorm is refused: evaluation mode cannot reach it."""
        if isinstance(self.native, torch.fx.GraphModule):
            raise DataError(
                f"{self.name} updates {names[0]} in evaluation mode: its graph was exported from a network in training mode, and "
                "keeps that mode.\n  Call net.eval() first, and export again."
            )
        return "A layer runs in training mode whatever is asked; its outputs may depend on the rest of the batch."

    def couples(self) -> Sequence[str]:
        """Normalisation over the batch, in evaluation too: BatchNorm without running statistics, or in training mode."""
        return [
            name
            for name, module in self.native.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (module.running_mean is None or module.training)
        ]

    def state(self) -> Mapping[str, np.ndarray]:
        """All parameters and buffers by torch's own names, and the names of the modules' classes."""
        found = {name: _host(tensor) for name, tensor in self._named_tensors()}
        kinds = "\n".join(f"{name} {_name(module)}" for name, module in self.native.named_modules())
        return {**found, "(structure)": np.frombuffer(kinds.encode(), np.uint8)}

    # ---- what is read off at wrapping

    def _named_tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield from self.native.named_parameters(remove_duplicate=False)
        yield from self.native.named_buffers(remove_duplicate=False)

    def _tensors(self) -> list[torch.Tensor]:
        return [tensor for _, tensor in self._named_tensors()]

    def _dtype(self) -> str | None:
        return _floating(self.native.parameters())

    def _channel_axis(self) -> int | None:
        """1 when the first layer that has weights of its own is a convolution."""
        for module in modules(self.native):
            if getattr(module, "_parameters", None) and any(p is not None for p in module._parameters.values()):
                return 1 if isinstance(module, _CONVOLUTIONS) else None
        return None

    def _notes(self) -> tuple[str, ...]:
        return _traced_in_training(self.native) if isinstance(self.native, torch.jit.ScriptModule) else ()


class ExportedNet(TorchNet):
    """An `ExportedProgram`: a graph with fixed shapes wherever none was declared dynamic."""

    def __init__(
        self, program: Any, module: nn.Module, device: str, forward: Any = None, input: str | None = None
    ) -> None:
        self._module = module
        self._fixed = _fixed_batch(program)
        super().__init__(module, module, device, forward, input)
        self.name = "ExportedProgram"
        self.owner = program

    def forward(self, x: Array) -> Array:
        """The graph's call, for the batch size that it was exported with, if that is fixed."""
        if self._fixed is not None and x.shape[0] != self._fixed:
            raise DataError(
                f"The program was exported for batches of exactly {self._fixed}; x has {x.shape[0]} rows. Batches of any size are "
                "wanted.\n  Export it again: torch.export.export(net, (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},))."
            )
        return super().forward(x)


class KerasNet(TorchNet):
    """A Keras 3 model that computes with torch: called with training=False; torch modules inside it keep their flags."""

    def __init__(self, native: Any, called: Any, device: str, forward: Any = None, input: str | None = None) -> None:
        super().__init__(native, called, device, forward, input)
        self._call = keras.call_of(native, forward, input)

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Averages and counters, and the flags of torch modules."""
        return {**keras.buffers(self.native, _variable), **_flags(self.native)}

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write them back."""
        flags = {f"{name or 'the network'} (training flag)": m for name, m in self.native.named_modules()}
        for name in flags.keys() & values.keys():
            flags[name].training = bool(values[name])
        with torch.no_grad():
            keras.restore(self.native, {name: value for name, value in values.items() if name not in flags})

    def streams(self) -> Sequence[Stream]:
        """torch's generators, and the model's seed states."""
        return [*super().streams(), *keras.seed_streams(self.native, _variable)]

    def moved(self, names: Sequence[str]) -> str:
        """A layer with training=True hard-coded."""
        return keras.why_moved(names)

    def couples(self) -> Sequence[str]:
        """BatchNormalization, when it is called in training mode."""
        return keras.couples(self.native)

    def state(self) -> Mapping[str, np.ndarray]:
        """All variables by position."""
        return keras.state(self.native, _variable)

    def _dtype(self) -> str | None:
        return keras.dtype_of(self.native)

    def _channel_axis(self) -> int | None:
        return keras.channel_axis(self.native)

    def _notes(self) -> tuple[str, ...]:
        return ()


class FunctionNet:
    """A function over torch tensors. Modules that it uses are run as they are; one found training is noted."""

    local = True
    outputs = None
    num_classes = None
    channel_axis = None

    def __init__(self, native: Any, device: str, forward: Any = None, input: str | None = None) -> None:
        self.native = native
        self.name = getattr(native, "__name__", None) or type(native).__name__
        self.capabilities = frozenset({"autodiff", "scores", "labels"})
        nets = [thing for thing in captured(native) if isinstance(thing, nn.Module)]
        original = getattr(native, "_torchdynamo_orig_callable", None)
        if original is not None:
            nets += [thing for thing in captured(original) if isinstance(thing, nn.Module)]
        parameters = [p for net in nets for p in net.parameters()]
        tensors = [thing for thing in captured(native) if isinstance(thing, torch.Tensor)]
        self.dtype = _floating(parameters) if parameters else None
        self.backend = _backend(device, [*parameters, *tensors], self.name)
        self.notes = tuple(
            f"{_name(net)}, which {self.name} uses, is in training mode; a function is run as it is: call .eval() first"
            for net in nets
            if any(m.training for m in net.modules())
        )
        self._call = _call(native, forward, input)

    def forward(self, x: Array) -> Array:
        """The function's answer."""
        return self._call(x)

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """A function has no modes."""
        return contextlib.nullcontext([])

    def buffers(self) -> Mapping[str, np.ndarray]:
        """None that are known."""
        return {}

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Nothing to write."""

    def streams(self) -> Sequence[Stream]:
        """torch's global generators."""
        return streams_on(self.backend.device)

    def moved(self, names: Sequence[str]) -> str:
        """Never asked: there are no buffers."""
        return ""

    def couples(self) -> Sequence[str]:
        """None that are known."""
        return ()


def _call(called: Any, forward: Callable[..., Any] | None, name: str | None) -> Callable[[Any], Any]:
    if forward is not None:
        return lambda x: forward(called, x)
    if name is not None:
        return lambda x: called(**{name: x})
    return called


def _name(net: Any) -> str:
    return getattr(net, "original_name", None) or type(net).__name__


def _floating(tensors: Any) -> str:
    for tensor in tensors:
        if tensor.is_floating_point():
            return str(tensor.dtype).rpartition(".")[2]
    return "float32"


def _backend(device: str, tensors: Sequence[torch.Tensor], name: str) -> TorchBackend:
    """The backend where the network is; a network is never moved."""
    found = {str(tensor.device) for tensor in tensors}
    if "meta" in found:
        raise ConfigError(
            f"wrap: {name} is on the meta device, without values. Load its weights first: net.to_empty(...), load_state_dict."
        )
    if not found:
        return backend_for("cpu" if device == "auto" else device)
    own = str(tensors[0].device)
    if device == "auto":
        return backend_for(own)
    asked = backend_for(device)
    if asked.device != backend_for(own).device:
        raise ConfigError(
            f"wrap(device={device!r}): {name} is on {own}, and wrap never moves a network. Move it, net.to({device!r}), "
            f"or leave device out to compute on {own}."
        )
    return asked


def _host(tensor: torch.Tensor) -> np.ndarray:
    """A copy on the host; types that NumPy lacks come as their bytes."""
    tensor = tensor.detach().cpu()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    try:
        return tensor.numpy().copy()
    except TypeError:
        return tensor.contiguous().view(torch.uint8).numpy().copy()


def _write(tensor: torch.Tensor, value: np.ndarray) -> None:
    """In place, through `.data`: a backward pass that the user has pending does not notice."""
    source = torch.from_numpy(value)
    if source.dtype != tensor.dtype:
        source = source.view(tensor.dtype)
    tensor.data.copy_(source)


def _variable(variable: Any) -> np.ndarray:
    return _host(variable.value)


def _flags(net: nn.Module) -> dict[str, np.ndarray]:
    return {f"{name or 'the network'} (training flag)": np.asarray(bool(m.training)) for name, m in net.named_modules()}


def _traced_in_training(net: Any) -> tuple[str, ...]:
    """A note when the graph of a trace has dropout or BatchNorm in training mode baked in."""
    for node in net.inlined_graph.nodes():
        place = {"aten::dropout": 2, "aten::batch_norm": 5, "aten::feature_dropout": 2}.get(node.kind())
        if place is not None and list(node.inputs())[place].toIValue() is True:
            return (
                f"{_name(net)} was traced in training mode ({node.kind().removeprefix('aten::')}), which a trace keeps whatever "
                "is asked: trace it again after net.eval()",
            )
    return ()


def _fixed_batch(program: Any) -> int | None:
    """The batch size that an exported program insists on; None when that is dynamic."""
    user = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in user and getattr(node.meta.get("val"), "ndim", 0):
            size = node.meta["val"].shape[0]
            return size if isinstance(size, int) else None
    return None
