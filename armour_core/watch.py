"""What a network moves by merely answering: buffers, seed states, generators. Noticed on the first call, put back."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


class Stream(Protocol):
    """A generator that belongs to the user, and that a network may draw from."""

    name: str

    def get(self) -> Any:
        """Its state: comparable by `same`."""

    def set(self, state: Any) -> None:
        """Put a state in place."""

    def seeded(self, seed: int) -> Any:
        """The state that a seed gives."""


@runtime_checkable
class Watched(Protocol):
    """A `Net` that can put back what it moves. One that cannot is warned about, no more."""

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Host copies of what evaluation must not move, by name."""

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        """Write these buffers back, in place."""

    def streams(self) -> Sequence[Stream]:
        """The framework's own global generators, and seed states in the network."""

    def moved(self, names: Sequence[str]) -> str:
        """Why these buffers moved in evaluation, in one sentence; raises where results would be meaningless."""

    def couples(self) -> Sequence[str]:
        """Names of layers that may mix the rows of a batch in evaluation mode."""


class PythonStream:
    """The generator of Python's `random` module."""

    name = "random"

    def get(self) -> Any:
        """The Mersenne Twister's state."""
        return random.getstate()

    def set(self, state: Any) -> None:
        """Put a state in place."""
        random.setstate(state)

    def seeded(self, seed: int) -> Any:
        """The state that a seed gives."""
        return random.Random(seed).getstate()


class NumpyStream:
    """NumPy's global generator."""

    name = "numpy.random"

    def get(self) -> Any:
        """The state as a flat tuple, so that it compares."""
        return _flat(np.random.get_state(legacy=True))

    def set(self, state: Any) -> None:
        """Put a state in place."""
        kind, keys, *rest = state
        np.random.set_state((kind, np.frombuffer(keys, np.uint32), *rest))

    def seeded(self, seed: int) -> Any:
        """The state that a seed gives."""
        return _flat(np.random.RandomState(seed % 2**32).get_state(legacy=True))


def _flat(state: Any) -> tuple[Any, ...]:
    kind, keys, *rest = state
    return kind, keys.tobytes(), *rest


def streams_of(net: object) -> list[Stream]:
    """The generators that this network could draw from."""
    own = net.streams() if isinstance(net, Watched) else ()
    return [PythonStream(), NumpyStream(), *own]


class StreamPin:
    """A network draws from a generator: it finds a stream of its own there, which goes on from call to call.

    Generators belong to the process: another thread that draws from one meanwhile draws from the network's stream.
    """

    def __init__(self, stream: Stream, seed: int) -> None:
        self._stream = stream
        self._ours = stream.seeded(seed)
        self._user: Any = None

    def reseed(self, seed: int) -> None:
        """Start the network's own stream anew. Only between `enter` and `leave`."""
        self._stream.set(self._stream.seeded(seed))

    def enter(self) -> None:
        """Put the user's state aside and the network's in place."""
        self._user = self._stream.get()
        self._stream.set(self._ours)

    def leave(self) -> None:
        """The reverse."""
        self._ours = self._stream.get()
        self._stream.set(self._user)


class BufferPin:
    """A network moves buffers in evaluation mode: they are put back when it has answered."""

    def __init__(self, net: Watched, names: Sequence[str]) -> None:
        self._net, self._names = net, tuple(names)
        self._user: dict[str, np.ndarray] = {}

    def enter(self) -> None:
        """Copy them."""
        now = self._net.buffers()
        self._user = {name: now[name] for name in self._names if name in now}

    def leave(self) -> None:
        """Write the copies back."""
        self._net.restore(self._user)


class Watch:
    """The state before a call, to be compared with the state after it."""

    def __init__(self, net: Any) -> None:
        self._net = net
        self._streams = [(stream, stream.get()) for stream in streams_of(net)]
        self._buffers = dict(net.buffers())

    def put_back(self) -> tuple[list[str], list[Stream]]:
        """Names of the buffers and the generators that moved. What moved is as it was, where the net allows it."""
        drawn = [(stream, state) for stream, state in self._streams if stream.get() != state]
        for stream, state in drawn:
            stream.set(state)
        now = self._net.buffers()
        changed = [name for name, old in self._buffers.items() if name in now and not same(old, now[name])]
        if changed and isinstance(self._net, Watched):
            self._net.restore({name: self._buffers[name] for name in changed})
        return changed, [stream for stream, _ in drawn]


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bytes: NaN equals NaN, 0.0 is not -0.0."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
