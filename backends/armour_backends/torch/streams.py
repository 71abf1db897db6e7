"""torch's global generators, as the streams of a network that draws random numbers."""

from typing import Any

import torch


class TorchStream:
    """The default generator of one device."""

    def __init__(self, generator: torch.Generator, name: str) -> None:
        self._generator, self.name = generator, name

    def get(self) -> bytes:
        """Its state."""
        return self._generator.get_state().numpy().tobytes()

    def set(self, state: Any) -> None:
        """Put a state in place."""
        self._generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))

    def seeded(self, seed: int) -> bytes:
        """The state that a seed gives."""
        return torch.Generator(self._generator.device).manual_seed(seed).get_state().numpy().tobytes()


def streams_on(device: str) -> list[TorchStream]:
    """The CPU's, and this device's where it has one of its own."""
    found = [TorchStream(torch.default_generator, "torch's generator")]
    kind, _, number = device.partition(":")
    if kind == "cuda":
        torch.cuda.init()
        found.append(TorchStream(torch.cuda.default_generators[int(number or 0)], f"torch's generator of {device}"))
    elif kind == "mps":
        found.append(TorchStream(torch.mps._get_default_mps_generator(), "torch's generator of mps"))
    return found
