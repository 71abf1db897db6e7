"""A backend's adapter with what belongs before and behind it: normalisation, choice of the output, and a watch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from armour_core.admission import dtype_name
from armour_core.errors import ConfigError, DataError
from armour_core.layout import Preprocessing, channel_axis, normalise
from armour_core.locks import Running
from armour_core.protocols.backend import Array, Backend
from armour_core.protocols.model import Net
from armour_core.refusals import likely_shapes
from armour_core.watch import BufferPin, StreamPin, Watch, Watched


class Network:
    """From x as the caller gives it to the raw outputs; the first call for each input shape is watched.

    What moves on that call (buffers, the caller's generators) is put back, then and from then on.
    """

    def __init__(
        self,
        net: Net,
        *,
        preprocessing: Any = None,
        channel_axis: int | None = None,
        layout: str | None = None,
        output: str | int | None = None,
        seed: int = 0,
    ) -> None:
        """See `armour_core.model.wrap`."""
        self.net = net
        self.backend = net.backend
        self.running = Running(net, net.native)
        self.preprocessing = Preprocessing.of(preprocessing)
        self.output = output
        self.randomized = False
        self.dtype = fed_in(net)  #: name; None: a function that takes what it is given
        self.seen: dict[tuple[int, ...], tuple[str, ...]] = {}  #: by shape of one sample: what the first call showed
        self._said_axis, self._layout = channel_axis, layout
        self._constants: dict[tuple[int, ...], tuple[Any, Any]] = {}  # by shape of one sample: mean and std, placed
        self._seed = seed
        self._pins: list[StreamPin] = []

    def raw(self, x: Array) -> Array:
        """Outputs as the network gives them. Traceable."""
        if self.preprocessing is not None:
            x = normalise(x, *self._statistics(tuple(x.shape)), self.backend)
        y = self.net.forward(x)
        return y if self.output is None and self.backend.is_native(y) else pick(y, self.output, self.backend)

    def axis(self, shape: tuple[int, ...]) -> tuple[int | None, str | None]:
        """The channel axis of a batch of this shape, and a warning where it had to be guessed."""
        return channel_axis(shape, self._said_axis, self.net.channel_axis, self._layout)

    def fit(self, shape: tuple[int, ...]) -> str | None:
        """Place mean and std for inputs of this shape; returns `axis`'s warning. Never within a trace."""
        axis, guess = self.axis(shape)
        if self.preprocessing is None or shape[1:] in self._constants:
            return guess
        if guess and self.preprocessing.per_channel and shape[1] == shape[-1]:
            raise ConfigError(f"wrap: preprocessing has one value per channel, but {guess}")
        pair = self.preprocessing.fitted(shape, None if guess else axis, self.net.channel_axis)
        place = self.backend.asarray
        dtype = self.dtype or "float32"
        self._constants[shape[1:]] = (
            pair[0] if isinstance(pair[0], float) else place(pair[0], dtype=dtype),
            pair[1] if isinstance(pair[1], float) else place(pair[1], dtype=dtype),
        )
        return guess

    def _statistics(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        placed = self._constants.get(shape[1:])
        if placed is not None and self.dtype is not None:
            return placed
        assert self.preprocessing is not None  # raw() has looked
        axis, guess = self.axis(shape)  # traced before it was ever called: constants of this trace
        return self.preprocessing.fitted(shape, None if guess else axis, self.net.channel_axis)

    # ---- the first call

    def first(self, x: Array, check: Callable[[Array], None]) -> Array:
        """Raw outputs, watched. check: raises when they cannot be used; the shape then stays unseen."""
        guess = self.fit(tuple(x.shape))
        watch = Watch(self.net)
        try:
            y = self.raw(x)
        finally:
            changed, drawn = watch.put_back()
        check(y)
        notes = [] if guess is None else [guess]
        if changed:
            notes.append(self._hold(changed))
        for stream in drawn:
            pin = StreamPin(stream, self._seed)
            self.running.pin(pin)
            self._pins.append(pin)
            self.randomized = True
            notes.append(
                f"{self.net.name} draws from {stream.name} in evaluation mode: it is given a stream of its own (seed "
                f"{self._seed}), and the caller's stays where it was"
            )
        self.seen[tuple(x.shape[1:])] = tuple(notes)
        return y

    def _hold(self, names: Sequence[str]) -> str:
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        if not isinstance(self.net, Watched):
            return f"{self.net.name} changes {listed} in evaluation mode, and they cannot be put back"
        why = self.net.moved(names)
        self.running.pin(BufferPin(self.net, names))
        return f"{self.net.name} changes {listed} in evaluation mode; they are put back after each call. {why}"

    def reseed(self, seed: int) -> None:
        """Start the streams that the network was given anew."""
        self._seed = seed
        with self.running:
            for pin in self._pins:
                pin.reseed(seed)

    def likely_cause(self, error: Exception, x: Array, check: Callable[[Array, int], None]) -> str | None:
        """Why the network did not take x, where it takes another shape that may have been meant: one row is tried.

        Not tried on a function in Python or a remote one, whose rows are counted.
        """
        out_of_memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
        if out_of_memory or not self.net.local:
            return None
        watch = Watch(self.net)
        try:
            for cause, make in likely_shapes(tuple(x.shape), self.backend.xp):
                other = make(x)
                try:
                    self.fit(tuple(other.shape))
                    check(self.raw(other), int(other.shape[0]))
                except Exception:
                    continue  # it does not fit either; the first error is the one that is told
                return cause
        finally:
            watch.put_back()
        return None


def fed_in(net: Net) -> str | None:
    """The dtype a network is fed in: its own where the namespace has it, else float32, which the adapter casts."""
    return net.dtype if net.dtype is None or hasattr(net.backend.xp, net.dtype) else "float32"


def pick(y: Any, output: str | int | None, backend: Backend) -> Array:
    """The chosen output, or the first tensor, of whatever a network returns."""
    kind = f"{type(y).__module__}.{type(y).__qualname__}"
    if output is not None:
        try:
            y = y[output] if not isinstance(output, str) or isinstance(y, Mapping) else getattr(y, output)
        except (KeyError, IndexError, AttributeError, TypeError):
            there = f"a dict with {', '.join(map(str, y))}" if isinstance(y, Mapping) else f"a {kind}"
            raise ConfigError(
                f"wrap(output={output!r}): the network returns {there}, which has no such part."
            ) from None
    if backend.is_native(y):
        return y
    for part in y.values() if isinstance(y, Mapping) else y if isinstance(y, list | tuple) else ():
        if backend.is_native(part):
            return part
    raise DataError(
        f"The network returns a {kind}, in which there is no tensor of {backend.name}.\n"
        "  Choose or convert what it returns: wrap(net, output=...), wrap(net, forward=lambda net, x: ...); or name "
        "the framework of a function's tensors: wrap(net, backend='numpy')."
    )


def refusal(x: Array, error: Exception, cause: str | None) -> DataError:
    """What to raise for a network that does not take x: its own words in one line, and the cause where it is known."""
    said = " ".join(str(error).partition("\n  ")[0].split())
    said = said if len(said) <= 300 else said[:297] + "..."
    hint = cause or "Check the shape, the order of the axes and the dtype against what the network was trained on."
    return DataError(
        f"The network does not take x of shape {tuple(x.shape)}, {dtype_name(x)}. It says: {type(error).__name__}: "
        f"{said}\n"
        f"  {hint}"
    )
