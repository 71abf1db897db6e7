"""A Keras 3 model that computes with torch: the Keras way, though it is an `nn.Module` too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from armour_backends import keras
from armour_backends.torch.backend import backend_for
from armour_backends.torch.model import TorchNet, flags_of, host, restore_flags
from armour_core.watch import Stream


class KerasNet(TorchNet):
    """Called with training=False. Flags count all the same: torch modules inside, wrapped as layers, go by them."""

    def __init__(self, native: Any, device: str, forward: Any = None, name: str | None = None) -> None:
        super().__init__(native, device, keras.call_of(native, forward, name))
        self.computes_in = keras.computes_in(native)
        if device == "auto" and not native.built:
            self.backend = backend_for("auto")  # where Keras will build it

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Averages and counters, and the flags of torch modules."""
        return {**keras.buffers(self.native, _value), **flags_of(self.module)}

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write them back."""
        with torch.no_grad():
            keras.restore(self.native, values)
        restore_flags(self.module, values)

    def streams(self) -> Sequence[Stream]:
        """torch's generators, and the model's seed states."""
        return [*super().streams(), *keras.seed_streams(self.native, _value)]

    def moved(self, names: Sequence[str]) -> str:
        """A layer with training=True hard-coded."""
        return keras.why_moved()

    def couples(self) -> Sequence[str]:
        """BatchNormalization, when it is called in training mode."""
        return keras.couples(self.native)

    def state(self) -> Mapping[str, np.ndarray]:
        """All weights by position."""
        return keras.state(self.native, _value)

    def _dtype(self) -> str | None:
        return keras.dtype_of(self.native)

    def _channel_axis(self) -> int | None:
        return keras.channel_axis(self.native)


def _value(variable: Any) -> np.ndarray:
    return host(variable.value)
