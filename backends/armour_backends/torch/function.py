"""A function over torch tensors."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from armour_backends.torch.model import backend_of, floating, kind_of
from armour_backends.torch.streams import streams_on
from armour_core.detection import captured
from armour_core.watch import Stream

Array = Any


class FunctionNet:
    """`armour_core.protocols.model.Net` over a function. Modules that it uses run as they are; training is noted."""

    local = True
    outputs = None
    num_classes = None
    channel_axis = None
    capabilities = frozenset({"autodiff", "scores", "labels"})

    def __init__(self, native: Any, device: str, call: Callable[[Any], Any]) -> None:
        self.native = native
        self.name = getattr(native, "__name__", None) or type(native).__name__
        reached = captured(getattr(native, "_torchdynamo_orig_callable", native))
        nets = [thing for thing in reached if isinstance(thing, nn.Module)]
        parameters = [p for net in nets for p in net.parameters()]
        tensors = [*parameters, *(thing for thing in reached if isinstance(thing, torch.Tensor))]
        self.dtype = floating(parameters) if parameters else None
        self.backend = backend_of(device, tensors, self.name)
        self.notes = tuple(
            f"{kind_of(net)}, which {self.name} uses, is in training mode, and a function is run as it is: call "
            ".eval() first, or wrap the network itself"
            for net in nets
            if any(getattr(module, "training", False) for module in net.modules())
        )
        self._call = call

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
