"""`wrap`: from any framework's network to the one model that algorithms see."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from armour_core import registry
from armour_core.admission import admit, dtype_name, one_line
from armour_core.errors import ArmourError, ConfigError, DataError
from armour_core.examination import ROWS, check_shape, differ, judge
from armour_core.layout import LAYOUTS, Preprocessing, channel_axis, normalise
from armour_core.locks import Running
from armour_core.protocols.backend import Array
from armour_core.protocols.model import OUTPUTS, Net
from armour_core.watch import BufferPin, StreamPin, Watch, Watched


@runtime_checkable
class Traced(Protocol):
    """A `Net` whose forward may turn out to be beyond its framework's compiler."""

    def untraceable(self, x: Array) -> str | None:
        """Why `forward` cannot be traced for inputs like x, in one line; None when it can."""


@runtime_checkable
class Stateful(Protocol):
    """A `Net` that can show all that it computes with."""

    def state(self) -> Mapping[str, np.ndarray]:
        """Host copies of weights and buffers, by names that do not depend on the process."""


def wrap(
    net: Any,
    *,
    bounds: tuple[float, float] = (0, 1),
    preprocessing: Any = None,
    num_classes: int | None = None,
    channel_axis: int | None = None,
    device: str = "auto",
    outputs: str | None = None,
    layout: str | None = None,
    forward: Callable[[Any, Any], Any] | None = None,
    input: str | None = None,
    output: str | int | None = None,
    name: str | None = None,
    backend: str | None = None,
    seed: int = 0,
) -> "WrappedModel":
    """Make a model of a network, an estimator or a function. The network itself is never changed.

    Args:
        net: torch, Keras or TensorFlow object, scikit-learn estimator, or a function from a batch to its outputs.
        bounds: lowest and highest value of the input, before preprocessing.
        preprocessing: `(mean, std)`, numbers or one per channel: the network is given `(x - mean) / std`.
        num_classes: found on the first data when not given.
        channel_axis: of a batch; found from the layers or the data when not given.
        device: "auto" is where the network is. Another one is refused: move the network yourself.
        outputs: "logits" (the default), "probabilities", "scores", "labels" or "loss". scikit-learn estimators know.
        layout: "vector" or "image"; None: 2-D input is vectors, 3-D `(N, H, W)` and above are images.
        forward: `(net, x) -> outputs` in place of `net(x)`, to fix further inputs or choose among outputs.
        input: name of the input that x is, for a network with named inputs.
        output: key, index or attribute of the output to use; None: the first tensor.
        name: for reports.
        backend: which framework's tensors a plain function takes: "numpy", "torch", "tensorflow". None: told from what
            its code refers to, else "numpy".
        seed: of the stream that a network which draws random numbers finds in place of the caller's generators.

    Raises ConfigError for a setting that does not fit, and for an object that no installed backend knows. A model that is
    wrapped already is returned as it is.
    """
    if _is_model(net):
        return _already(net, locals())
    options = {"forward": forward, "input": input, "output": output, "outputs": outputs, "backend": backend}
    chosen = backend or registry.first("armour_infer_backend", net=net)
    if chosen is None:
        raise ConfigError(_unknown(net))
    adapter = registry.first("armour_wrap_model", net=net, device=device, options={**options, "backend": chosen})
    if adapter is None:
        known = ", ".join(spec.name for spec in registry.list_plugins("backend"))
        raise ConfigError(
            f"wrap: no installed backend {chosen!r} takes a {_described(net)}. Installed: {known or 'none'}."
        )
    return WrappedModel(
        adapter,
        bounds=bounds,
        preprocessing=preprocessing,
        num_classes=num_classes,
        channel_axis=channel_axis,
        outputs=outputs,
        layout=layout,
        output=output,
        name=name,
        seed=seed,
    )


class WrappedModel:
    """A network with its preprocessing, its bounds and its lock: `protocols.model.Model` over any backend's `Net`.

    Calls run in evaluation mode, one at a time for each network, and leave weights, buffers, flags and the caller's
    generators as they were. Threads that call the raw network meanwhile are not protected.
    """

    def __init__(
        self,
        net: Net,
        *,
        bounds: tuple[float, float] = (0, 1),
        preprocessing: Any = None,
        num_classes: int | None = None,
        channel_axis: int | None = None,
        outputs: str | None = None,
        layout: str | None = None,
        output: str | int | None = None,
        name: str | None = None,
        seed: int = 0,
    ) -> None:
        """See `wrap`; `net` is a backend's adapter here."""
        self.net = net
        self.backend = net.backend
        self.name = name or net.name
        self.bounds = _bounds(bounds)
        self.layout = _one_of("layout", layout, LAYOUTS)
        self.outputs = _one_of("outputs", outputs, OUTPUTS) or net.outputs or "logits"
        self.num_classes = _classes(num_classes) or net.num_classes
        self.channel_axis: int | None = None
        self.compiled: dict[Any, Any] = {}
        self.randomized = False  #: equal calls differ: known after `examine`
        self.notes: tuple[str, ...] = tuple(net.notes)
        self._declared = bool(outputs or net.outputs)
        self._said_axis = channel_axis
        self._output = output
        self._preprocessing = Preprocessing.of(preprocessing)
        self._constants: dict[tuple[int, ...], tuple[Any, Any]] = {}  # by input shape: mean and std, placed
        self._dtype = _known_dtype(net)
        self._eager: str | None = None  # why this forward cannot be traced
        self._seed = seed
        self._pins: list[StreamPin] = []
        self._running = Running(net, net.native)
        self._called: dict[tuple[int, ...], list[str]] = {}  # input shapes that have been through, and what was noticed
        self._examined: dict[tuple[int, ...], tuple[str, ...]] = {}

    def __repr__(self) -> str:
        classes = "?" if self.num_classes is None else self.num_classes
        lo, hi = self.bounds
        return (
            f"<{self.name} on {self.backend.name}:{self.backend.device}, bounds ({lo:g}, {hi:g}), {self.outputs}, "
            f"{classes} classes{', normalised' if self._preprocessing else ''}>"
        )

    # ---- what it is

    @property
    def native(self) -> Any:
        """The user's network."""
        return self.net.native

    @property
    def dtype(self) -> Any:
        """xp dtype that the network computes in. For a function: that of the data it was last given."""
        return getattr(self.backend.xp, self._dtype or "float32")

    @property
    def local(self) -> bool:
        """Whether `forward` is native code that can be traced. False for Python, remote, and code known not to trace."""
        return self.net.local and self._eager is None

    @property
    def capabilities(self) -> frozenset[str]:
        """What algorithms may ask for: gradients, scores, labels, and what else the backend offers."""
        found = self.net.capabilities | {"labels"}
        if self.outputs == "labels":
            return found - {"scores", "autodiff"}
        if self.outputs == "loss" or (self.outputs == "scores" and self._examined and self.num_classes is None):
            return found - {"labels"}
        return found

    # ---- computing

    def __call__(self, x: Any) -> Array:
        """Native or NumPy in, native out, in evaluation mode. Values are not checked: see `admit`."""
        x = self.backend.asarray(x, dtype=self._dtype)
        with self._running:
            if tuple(x.shape[1:]) in self._called:
                return self.forward(x)
            try:
                return self._read(self._first(x))
            except Exception as error:
                if (cause := self._cause(error, x)) is not None:
                    raise DataError(_refused(x, error, cause)) from error
                raise

    def forward(self, x: Array) -> Array:
        """The bare computation, traceable: preprocessing, network, choice of the output. Only within `running()`."""
        return self._read(self._raw(x))

    def running(self) -> AbstractContextManager[None]:
        """Holds the network's lock and evaluation mode; on exit all is as it was. Reentrant."""
        return self._running

    def reseed(self, seed: int) -> None:
        """Start the streams of a network that draws random numbers anew, so that a run can be repeated."""
        self._seed = seed
        with self._running:
            for pin in self._pins:
                pin.reseed(seed)

    def _raw(self, x: Array) -> Array:
        if self._preprocessing is not None:
            shape = tuple(x.shape)
            constants = self._constants.get(shape[1:])
            if constants is None:  # traced before it was ever called: constants of this trace
                axis = self._axis(shape)[0]
                constants = self._preprocessing.fitted(shape, axis, self.net.channel_axis)
            x = normalise(x, *constants, self.backend)
        y = self.net.forward(x)
        return y if self._output is None and self.backend.is_native(y) else _pick(y, self._output, self.backend)

    def _read(self, y: Array) -> Array:
        """From raw outputs to those of the model: a binary output becomes two columns, labels become int32 (N,)."""
        kind, xp = self.outputs, self.backend.xp
        if kind == "logits" or kind == "probabilities":
            if len(y.shape) == 2 and y.shape[1] != 1:
                return y
            if len(y.shape) == 1:
                y = xp.expand_dims(y, axis=1)
            return xp.concat([xp.zeros_like(y) if kind == "logits" else 1 - y, y], axis=1)
        if kind == "labels":
            if len(y.shape) == 2:
                y = xp.argmax(y, axis=1) if y.shape[1] > 1 else xp.reshape(y, (-1,))
            return xp.astype(y, xp.int32)
        if kind == "loss" and len(y.shape) == 2 and y.shape[1] == 1:
            return xp.reshape(y, (-1,))
        return y

    def _axis(self, shape: tuple[int, ...]) -> tuple[int | None, str | None]:
        return channel_axis(shape, self._said_axis, self.net.channel_axis, self.layout)

    def _fit(self, shape: tuple[int, ...]) -> list[str]:
        """Settle the channel axis and the constants of preprocessing for inputs of this shape. Never within a trace."""
        self.channel_axis, guess = self._axis(shape)
        if self._preprocessing is None:
            return [guess] if guess else []
        axis = None if guess else self.channel_axis
        constants = self._preprocessing.fitted(shape, axis, self.net.channel_axis)
        per_channel = any(isinstance(c, np.ndarray) for c in constants)
        if guess and per_channel and shape[1] == shape[-1]:
            raise ConfigError(f"preprocessing is per channel, but {guess}")
        self._constants[shape[1:]] = tuple(  # type: ignore[assignment]
            self.backend.asarray(c, dtype=self._dtype or "float32") if isinstance(c, np.ndarray) else c
            for c in constants
        )
        return [guess] if guess else []

    # ---- the first call

    def _first(self, x: Array) -> Array:
        """Raw outputs of the first call for inputs of this shape: watches what moves, and puts it back from now on."""
        shape = tuple(x.shape)
        notes = self._fit(shape)
        watch = Watch(self.net) if self.net.local or isinstance(self.net, Watched) else None
        try:
            y = self._raw(x)
        finally:
            changed, drawn = watch.put_back() if watch else ([], [])
        check_shape(y, shape[0], self.outputs, self._declared)
        if changed:
            notes.append(self._hold(changed))
        for stream in drawn:
            pin = StreamPin(stream, self._seed)
            self._running.pin(pin)
            self._pins.append(pin)
            self.randomized = True
            notes.append(
                f"{self.name} draws from {stream.name} in evaluation mode: it gets a stream of its own (seed {self._seed}), "
                "and the caller's stays where it was"
            )
        self._called[shape[1:]] = notes
        return y

    def _hold(self, names: Sequence[str]) -> str:
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        if not isinstance(self.net, Watched):
            return f"{self.name} changes {listed} in evaluation mode, and they cannot be put back"
        why = self.net.moved(names)
        self._running.pin(BufferPin(self.net, names))
        return f"{self.name} changes {listed} in evaluation mode; they are put back after each call. {why}"

    def _cause(self, error: Exception, x: Array) -> str | None:
        """The likely reason why the network does not take x: another shape, tried on one row, that it does take."""
        foreign = type(error).__name__ in ("OutOfMemoryError", "ResourceExhaustedError")
        if isinstance(error, ConfigError | MemoryError) or foreign or not self.net.local:
            return None
        for cause, make in _shapes(tuple(x.shape), self.backend.xp):
            try:
                other = make(x)
                self._fit(tuple(other.shape))
                check_shape(self._raw(other), int(other.shape[0]), self.outputs, True)
            except Exception:  # noqa: S112 - a guess that does not fit either
                continue
            finally:
                self._constants.pop(tuple(x.shape[1:]), None)
            return cause
        return None

    # ---- data and outputs, looked at

    def admit(self, x: Any, *, what: str = "x") -> Array:
        """Native `x` in the model's dtype, a constant; raises DataError when it is empty, not numeric, not finite, or
        outside the bounds.
        """  # fmt: skip
        x = admit(x, self.backend, self.bounds, self._dtype_of_net, what)
        if self._dtype_of_net is None:
            self._dtype = dtype_name(x)
        self.channel_axis = self._axis(tuple(x.shape))[0]
        return x

    @property
    def _dtype_of_net(self) -> str | None:
        return _known_dtype(self.net)

    def examine(self, x: Array, outputs: Array | None = None) -> tuple[str, ...]:
        """Once per input shape, on real rows that `admit` returned: see `protocols.model`. Returns warnings.

        outputs: the model's answers for these rows, where they are known. A model that is not local is then asked
        nothing more, so that its rows stay counted exactly.
        """
        key = tuple(x.shape[1:])
        with self._running:
            if key not in self._examined:
                self._examined[key] = tuple(self._examine(x[:ROWS], None if outputs is None else outputs[:ROWS]))
            return (*self.notes, *self._running.notes, *self._examined[key])

    def _examine(self, x: Array, outputs: Array | None) -> list[str]:
        shape, local = tuple(x.shape), self.net.local
        notes: list[str] = []
        if outputs is not None and not local:
            raw = outputs
            notes += self._fit(shape)
        else:
            try:
                raw = self._raw(x) if shape[1:] in self._called else self._first(x)
                check_shape(raw, shape[0], self.outputs, self._declared)
            except Exception as error:
                cause = self._cause(error, x)
                if isinstance(error, ArmourError | MemoryError) and cause is None:
                    raise
                raise DataError(_refused(x, error, cause)) from error
            notes += self._called[shape[1:]]
        seen = self.backend.to_numpy(raw)
        verdict = judge(seen, self.outputs, self._declared, self.num_classes)
        self.outputs, self.num_classes = verdict.outputs, verdict.num_classes
        notes += verdict.notes
        if local:
            notes += self._repeat(x, seen)
            notes += self._trace(x)
        return notes

    def _repeat(self, x: Array, seen: np.ndarray) -> list[str]:
        """Are equal calls equal, and rows independent of their company?"""
        half = self._dtype == "float16" or seen.dtype == np.float16
        again = self.backend.to_numpy(self._raw(x))
        if self.randomized or differ(seen, again, half):
            self.randomized = True
            return [
                f"{self.name} is random in evaluation mode: two equal calls differ. Average over draws (EOT) to attack it"
            ]
        try:
            if len(seen) > 1:
                alone = self.backend.to_numpy(self._raw(x[:1]))
            else:
                lo, hi = self.bounds
                alone = self.backend.to_numpy(self._raw(self.backend.xp.concat([x, lo + hi - x], axis=0)))[:1]
        except Exception as error:
            raise DataError(
                f"The network takes a batch of {len(seen)} rows, but not one of {1 if len(seen) > 1 else 2}: {one_line(error)}\n"
                "  Batches of any size are wanted: export it with a dynamic batch size, or build it without a fixed one."
            ) from error
        if not differ(seen[:1], alone, half):
            return []
        names = self.net.couples() if isinstance(self.net, Watched) else ()
        suspects = f" (look at {', '.join(names[:3])})" if names else ""
        return [
            f"{self.name} mixes the rows of a batch in evaluation mode{suspects}: a row's outputs depend on its company, "
            "so results depend on batch_size"
        ]

    def _trace(self, x: Array) -> list[str]:
        if self._eager is None and isinstance(self.net, Traced):
            self._eager = self.net.untraceable(x)
            if self._eager is not None:
                return [f"{self.name} cannot be traced, and is run eagerly, which is slower: {self._eager}"]
        return []

    def fingerprint(self) -> str | None:
        """SHA-256 of all that the outputs depend on: weights, buffers, their names, and the settings of this wrapper.

        None for a network that cannot show its weights, such as a function.
        """
        if not isinstance(self.net, Stateful):
            return None
        with self._running:
            state = self.net.state()
        prep = self._preprocessing
        settings = (self.bounds, self.outputs, prep and (prep.mean.tolist(), prep.std.tolist()), self._output)
        digest = hashlib.sha256(repr((self.net.name, settings)).encode())
        for key in sorted(state):
            value = np.ascontiguousarray(state[key])
            digest.update(repr((key, str(value.dtype), state[key].shape)).encode())
            digest.update(value.data if value.size else b"")
        return digest.hexdigest()


def _is_model(net: Any) -> bool:
    return isinstance(net, WrappedModel) or all(
        hasattr(net, name) for name in ("backend", "bounds", "outputs", "forward", "running", "admit", "examine")
    )


_DEFAULTS = {"bounds": (0, 1), "device": "auto", "seed": 0}


def _already(model: Any, given: Mapping[str, Any]) -> Any:
    """The model that was wrapped before, unless it is asked to be another one."""
    for key, value in given.items():
        if key == "net" or value == _DEFAULTS.get(key):
            continue
        if key in ("bounds", "num_classes", "channel_axis", "outputs", "layout", "name") and value == getattr(
            model, key, None
        ):
            continue
        if key in ("backend", "device") and value in (model.backend.name, model.backend.device):
            continue
        raise ConfigError(
            f"wrap: {model!r} is wrapped already, and {key}={value!r} would change it. Wrap the network itself: "
            f"wrap(model.native, {key}=...)."
        )
    return model


def _described(net: Any) -> str:
    return f"{type(net).__module__}.{type(net).__qualname__}"


def _unknown(net: Any) -> str:
    found = f"wrap: no installed backend knows what to do with a {_described(net)}."
    if isinstance(net, type):
        return f"wrap: {net.__name__} is a class. Pass an object of it: wrap({net.__name__}(...))."
    if isinstance(net, str):
        return f"wrap: {net!r} is a string. Pass the network itself; the command line opens models by URI."
    if callable(net):
        return f"{found}\n  A function is taken as it is when its tensors are named: wrap(net, backend='numpy'), 'torch' or 'tensorflow'."
    backends = ", ".join(spec.name for spec in registry.list_plugins("backend"))
    return f"{found}\n  It is not callable. Pass a network, an estimator or a function. Backends: {backends or 'none installed'}."


def _one_of(key: str, value: str | None, accepted: tuple[str, ...]) -> str | None:
    if value is not None and value not in accepted:
        raise ConfigError(f"{key}={value!r}: expected one of {', '.join(accepted)}.")
    return value


def _bounds(value: Any) -> tuple[float, float]:
    try:
        lo, hi = (float(v) for v in value)
    except (TypeError, ValueError):
        raise ConfigError(f"bounds={value!r}: expected two numbers, as in bounds=(0, 1).") from None
    if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
        raise ConfigError(f"bounds={value!r}: expected two finite numbers, the lower one first: the range of the data.")
    return lo, hi


def _classes(value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 2):
        raise ConfigError(f"num_classes={value!r}: expected a whole number from 2.")
    return value if value is None else int(value)


def _known_dtype(net: Net) -> str | None:
    """The dtype a network is fed in: its own where the namespace has it, else float32 (the adapter casts)."""
    return net.dtype if net.dtype is None or hasattr(net.backend.xp, net.dtype) else "float32"


def _pick(y: Any, output: str | int | None, backend: Any) -> Array:
    """The chosen output, or the first tensor, of whatever a network returns."""
    if output is not None:
        try:
            y = y[output] if not isinstance(output, str) or isinstance(y, Mapping) else getattr(y, output)
        except (KeyError, IndexError, AttributeError, TypeError):
            there = f"keys {', '.join(map(str, y))}" if isinstance(y, Mapping) else f"a {_described(y)}"
            raise ConfigError(
                f"wrap(output={output!r}): the network returns {there}, which has no such output."
            ) from None
    if backend.is_native(y):
        return y
    parts = list(y.values()) if isinstance(y, Mapping) else list(y) if isinstance(y, list | tuple) else []
    for part in parts:
        if backend.is_native(part):
            return part
    raise DataError(
        f"The network returns a {_described(y)}, in which there is no tensor of {backend.name}.\n"
        f"  Choose or convert what it returns: wrap(net, output=...), wrap(net, forward=lambda net, x: ...), or name the framework "
        "of a function's tensors: wrap(net, backend='numpy')."
    )


def _shapes(shape: tuple[int, ...], xp: Any) -> list[tuple[str, Callable[[Array], Array]]]:
    """Other shapes that the caller may have meant, with what to say when one fits."""
    rank = len(shape)
    found: list[tuple[str, Callable[[Array], Array]]] = []
    if rank == 4:
        n, a, b, c = shape
        found += [
            (
                f"It takes the channels first: pass x of shape {(n, c, a, b)}, x.transpose(0, 3, 1, 2) in NumPy.",
                lambda x: xp.moveaxis(x[:1], -1, 1),
            ),
            (
                f"It takes the channels last: pass x of shape {(n, b, c, a)}, x.transpose(0, 2, 3, 1) in NumPy.",
                lambda x: xp.moveaxis(x[:1], 1, -1),
            ),
        ]
        for axis in (1, 3):
            if shape[axis] == 1:
                less = shape[:axis] + shape[axis + 1 :]
                found.append(
                    (
                        f"It takes images without a channel axis: pass x of shape {less}.",
                        lambda x, axis=axis: xp.squeeze(x[:1], axis=axis),
                    )  # type: ignore[misc]
                )
    if rank == 3:
        n, h, w = shape
        found += [
            (
                f"It takes one channel, first: pass x of shape {(n, 1, h, w)}, x[:, None].",
                lambda x: xp.expand_dims(x[:1], axis=1),
            ),
            (
                f"It takes one channel, last: pass x of shape {(n, h, w, 1)}, x[..., None].",
                lambda x: xp.expand_dims(x[:1], axis=3),
            ),
        ]
    if rank > 2:
        flat = (shape[0], math.prod(shape[1:]))
        found.append(
            (
                f"It takes vectors: pass x of shape {flat}, x.reshape(len(x), -1).",
                lambda x: xp.reshape(x[:1], (1, flat[1])),
            )
        )
    found.append(
        (
            f"It takes a batch: x is a single sample, pass x[None] of shape {(1, *shape)}.",
            lambda x: xp.expand_dims(x, axis=0),
        )
    )
    return found


def _refused(x: Array, error: Exception, cause: str | None) -> str:
    quoted = str(error).partition("\n")[0] if isinstance(error, ArmourError) else one_line(error)
    hint = cause or "Check the shape, the order of the axes and the dtype against what the network was trained on."
    return f"The network does not take x of shape {tuple(x.shape)}, {dtype_name(x)}. It says: {quoted}\n  {hint}"
