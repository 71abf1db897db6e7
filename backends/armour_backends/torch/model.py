"""torch's networks behind one small interface: modules, and compiled, parallel, scripted and exported ones."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from armour_backends.torch.backend import TorchBackend, backend_for
from armour_backends.torch.evaluation import Evaluation, modules
from armour_backends.torch.streams import streams_on
from armour_core.detection import within
from armour_core.errors import ConfigError, DataError
from armour_core.watch import Stream

Array = Any
_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_FLAG = " (training flag)"


def net_of(net: Any, device: str, options: Mapping[str, Any]) -> Any:
    """The adapter of a torch network or function. Raises ConfigError."""
    forward, name = options.get("forward"), options.get("input")
    if isinstance(net, torch.export.ExportedProgram):
        return ExportedNet(net, device, forward, name)
    if within(net, "keras"):
        from armour_backends.torch.keras import KerasNet

        return KerasNet(net, device, forward, name)
    if isinstance(net, nn.Module):
        while isinstance(net, _PARALLEL):
            net = net.module
        return TorchNet(_original(net), device, call_of(net, forward, name))
    if callable(net):
        from armour_backends.torch.function import FunctionNet

        return FunctionNet(net, device, call_of(net, forward, name))
    raise ConfigError(
        f"wrap(backend='torch'): a {type(net).__qualname__} is not callable. Pass a module or a function."
    )


def call_of(called: Any, forward: Callable[..., Any] | None, name: str | None) -> Callable[[Any], Any]:
    """The call with x alone, as the input of that name, or as the caller's `forward` makes it."""
    if forward is not None:
        return lambda x: forward(called, x)
    if name is not None:
        return lambda x: called(**{name: x})
    return called  # type: ignore[no-any-return]


def _original(net: nn.Module) -> nn.Module:
    """The module inside `torch.compile`: whose weights, flags and names count. The compiled one answers."""
    return net._orig_mod if hasattr(net, "_orig_mod") else net


class TorchNet:
    """`armour_core.protocols.model.Net` over an `nn.Module`; it can put back what evaluation moves."""

    local = True
    outputs = None
    num_classes = None

    def __init__(self, module: nn.Module, device: str, call: Callable[[Any], Any], native: Any = None) -> None:
        """module: whose weights and flags count. call: what answers. native: what the user gave, if that is another."""
        self.native = module if native is None else native
        self.module = module
        self.name = kind_of(self.native)
        self.dtype: str | None = self._dtype()
        self.channel_axis = self._channel_axis()
        tensors = [tensor for _, tensor in self._tensors()]
        self.backend: TorchBackend = backend_of(device, tensors, self.name)
        constant = _inference(tensors, self.name)
        self.notes: tuple[str, ...] = (*_traced_in_training(module), *constant)
        self.capabilities = frozenset({"scores", "labels"} if constant else {"autodiff", "scores", "labels"})
        self._call = torch.no_grad()(call) if constant else call
        # what the namespace has no name for (bfloat16, float8) is cast to at the network's door
        self._cast = None if hasattr(self.backend.xp, self.dtype or "float32") else getattr(torch, str(self.dtype))

    def forward(self, x: Array) -> Array:
        """The network's call, in the mode it is in."""
        return self._call(x if self._cast is None else x.to(self._cast))

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """Evaluation mode, flag by flag: neither `eval` nor `train`, which users override, is called."""
        return Evaluation(self.module, self.name)

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Host copies of the buffers, and the training flags."""
        return {**{name: host(tensor) for name, tensor in self.module.named_buffers()}, **flags_of(self.module)}

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write buffers and flags back, in place."""
        there = dict(self.module.named_buffers())
        for name, value in values.items():
            if name in there:
                _write(there[name], value)
        restore_flags(self.module, values)

    def streams(self) -> Sequence[Stream]:
        """torch's global generators: the CPU's and this device's."""
        return streams_on(self.backend.device)

    def moved(self, names: Sequence[str]) -> str:
        """An exported graph that updates BatchNorm is refused: evaluation mode cannot reach it."""
        if isinstance(self.module, torch.fx.GraphModule):
            raise DataError(
                f"{self.name} updates {names[0]} in evaluation mode: its graph was made from a network in training "
                "mode, which it keeps.\n  Call net.eval() on the network, and export or trace it again."
            )
        return "A layer runs in training mode whatever is asked; its outputs may depend on the rest of the batch."

    def couples(self) -> Sequence[str]:
        """BatchNorm that goes by the batch in evaluation mode: without running statistics, or kept in training."""
        return [
            name
            for name, module in self.module.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (module.running_mean is None or module.training)
        ]

    def state(self) -> Mapping[str, np.ndarray]:
        """All parameters and buffers by torch's own names, and the classes of the modules."""
        kinds = "\n".join(f"{name} {kind_of(module)}" for name, module in self.module.named_modules())
        found = {name: host(tensor) for name, tensor in self._tensors()}
        return {**found, "(structure)": np.frombuffer(kinds.encode(), np.uint8)}

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield from self.module.named_parameters(remove_duplicate=False)
        yield from self.module.named_buffers(remove_duplicate=False)

    def _dtype(self) -> str | None:
        return floating(self.module.parameters())

    def _channel_axis(self) -> int | None:
        """1 when the first layer that has weights of its own is a convolution."""
        for module in modules(self.module):
            if any(p is not None for p in module._parameters.values()):
                return 1 if isinstance(module, nn.modules.conv._ConvNd) else None
        return None


class ExportedNet(TorchNet):
    """An `ExportedProgram`: a graph with fixed shapes wherever none was declared dynamic."""

    def __init__(self, program: Any, device: str, forward: Any = None, name: str | None = None) -> None:
        module = program.module()
        super().__init__(module, device, call_of(module, forward, name), native=program)
        self._fixed = _fixed_batch(program)

    def forward(self, x: Array) -> Array:
        """The graph's call, for the batch size that it was exported with, if that is fixed."""
        if self._fixed is not None and x.shape[0] != self._fixed:
            raise DataError(
                f"The program was exported for batches of exactly {self._fixed}; here are {x.shape[0]} rows, and "
                "batches of any size are wanted.\n  Export it again: torch.export.export(net, (x,), "
                "dynamic_shapes=({0: torch.export.Dim.AUTO},)), with an x of two rows or more."
            )
        return super().forward(x)

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """A program has the mode that it was exported in; its flags mean nothing."""
        return contextlib.nullcontext([])


def kind_of(net: Any) -> str:
    """The class's name, for people and for fingerprints."""
    return getattr(net, "original_name", None) or type(net).__name__


def floating(tensors: Any) -> str:
    """The dtype of the first floating tensor."""
    return next((str(t.dtype).rpartition(".")[2] for t in tensors if t.is_floating_point()), "float32")


def backend_of(device: str, tensors: Sequence[torch.Tensor], name: str) -> TorchBackend:
    """The backend where the network is; a network is never moved."""
    if any(tensor.is_meta for tensor in tensors):
        raise ConfigError(
            f"wrap: {name} is on the meta device, without values. Load its weights first: net.to_empty(device='cpu'), "
            "then net.load_state_dict(...)."
        )
    if not tensors:
        return backend_for("cpu" if device == "auto" else device)
    own = backend_for(str(tensors[0].device))
    if device == "auto" or backend_for(device).device == own.device:
        return own
    raise ConfigError(
        f"wrap(device={device!r}): {name} is on {own.device}, and wrap never moves a network. Move it, "
        f"net.to({device!r}), or leave device out to compute on {own.device}."
    )


def host(tensor: torch.Tensor) -> np.ndarray:
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
    tensor.data.copy_(source if source.dtype == tensor.dtype else source.view(tensor.dtype))


def flags_of(net: nn.Module) -> dict[str, np.ndarray]:
    """The training flag of each module."""
    return {
        f"{name or 'the network'}{_FLAG}": np.asarray(bool(getattr(module, "training", False)))
        for name, module in net.named_modules()
    }


def restore_flags(net: nn.Module, values: Mapping[str, np.ndarray]) -> None:
    """Set those flags that are among these values."""
    for name, module in net.named_modules():
        value = values.get(f"{name or 'the network'}{_FLAG}")
        if value is not None:
            module.training = bool(value)


def _traced_in_training(net: Any) -> tuple[str, ...]:
    """A note when the graph of a trace has dropout or BatchNorm in training mode baked in."""
    if not isinstance(net, torch.jit.ScriptModule) or not hasattr(net, "inlined_graph"):
        return ()
    flag = {"aten::dropout": 2, "aten::feature_dropout": 2, "aten::batch_norm": 5}  # which input says so
    for node in net.inlined_graph.nodes():
        place = flag.get(node.kind())
        if place is not None and list(node.inputs())[place].toIValue() is True:
            layer = node.kind().removeprefix("aten::")
            return (
                f"{kind_of(net)} was traced in training mode ({layer}), and a trace stays as it was traced: call "
                "net.eval() and trace it again",
            )
    return ()


def _inference(tensors: Sequence[torch.Tensor], name: str) -> tuple[str, ...]:
    """A note when weights were created in inference mode."""
    if not any(tensor.is_inference() for tensor in tensors):
        return ()
    return (
        f"the weights of {name} were created under torch.inference_mode(), so nothing can be differentiated through "
        "them: build or load the network outside of it",
    )


def _fixed_batch(program: Any) -> int | None:
    """The batch size that an exported program insists on; None when that is dynamic."""
    user = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in user and getattr(node.meta.get("val"), "ndim", 0):
            size = node.meta["val"].shape[0]
            return size if isinstance(size, int) else None
    return None
