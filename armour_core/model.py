"""`wrap`: from any framework's network to the one model that algorithms see."""

import hashlib
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from armour_core import registry
from armour_core.admission import admit, dtype_name, one_line
from armour_core.behaviour import repeated, unsloped
from armour_core.detection import frameworks
from armour_core.errors import ArmourError, ConfigError
from armour_core.examination import ROWS, check_shape, judge
from armour_core.functional import span
from armour_core.layout import LAYOUTS
from armour_core.network import Network, refusal
from armour_core.protocols.backend import Array
from armour_core.protocols.model import OUTPUTS, Net


@runtime_checkable
class Traced(Protocol):
    """A `Net` whose forward may turn out to be beyond its framework's compiler."""

    def untraceable(self, x: Array) -> str | None:
        """Why `forward` cannot be traced for inputs like x, in one line; None when it can."""


@runtime_checkable
class Stateful(Protocol):
    """A `Net` that can show what it computes with."""

    def state(self) -> Mapping[str, np.ndarray]:
        """Host copies of weights and buffers, by names that do not depend on the process; empty when not known."""


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
            its code refers to; "numpy" when it refers to no framework, or converts to and from NumPy itself.
        seed: of the stream that a network which draws random numbers finds in place of the caller's generators.

    Raises ConfigError for a setting that does not fit, and for an object that no installed backend knows. A model that
    is wrapped already is returned as it is.
    """
    if _is_model(net):
        _check_unchanged(net, locals())
        return net  # type: ignore[no-any-return]
    chosen = backend or registry.first("armour_infer_backend", net=net)
    if chosen is None:
        raise ConfigError(_unknown(net))
    options = {"forward": forward, "input": input, "output": output, "outputs": outputs, "backend": chosen}
    adapter = registry.first("armour_wrap_model", net=net, device=device, options=options)
    if adapter is None:
        raise _nobody(net, chosen)
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
        self.notes: tuple[str, ...] = tuple(net.notes)
        self._network = Network(
            net, preprocessing=preprocessing, channel_axis=channel_axis, layout=layout, output=output, seed=seed
        )
        self._declared = bool(outputs or net.outputs)
        self._given = "float32"  # name of the dtype that a function was last given
        self._eager: str | None = None  # why this forward cannot be traced
        self._flat: str | None = None  # why nothing can be differentiated through it
        self._examined: dict[tuple[int, ...], tuple[str, ...]] = {}

    def __repr__(self) -> str:
        lo, hi = self.bounds
        normalised = ", normalised" if self._network.preprocessing else ""
        return (
            f"<{self.name} on {self.backend.name}:{self.backend.device}, bounds ({lo:g}, {hi:g}){normalised}, "
            f"{self.outputs} of {self.num_classes or '?'} classes>"
        )

    # ---- what it is

    @property
    def native(self) -> Any:
        """The user's network."""
        return self.net.native

    @property
    def dtype(self) -> Any:
        """xp dtype that the network computes in. For a function: that of the data it was last given."""
        return getattr(self.backend.xp, self._network.dtype or self._given)

    @property
    def local(self) -> bool:
        """Whether `forward` is native code that can be traced: not Python, not remote, not known to be untraceable."""
        return self.net.local and self._eager is None

    @property
    def randomized(self) -> bool:
        """Whether equal calls differ; known after `examine`."""
        return self._network.randomized

    @property
    def capabilities(self) -> frozenset[str]:
        """What algorithms may ask for: gradients, scores, labels, and what else the backend offers."""
        found = self.net.capabilities if self._flat is None else self.net.capabilities - {"autodiff"}
        if self.outputs == "labels":
            return (found | {"labels"}) - {"scores", "autodiff"}
        if self.outputs == "loss" or (self.outputs == "scores" and self._examined and self.num_classes is None):
            return found - {"labels"}
        return found

    # ---- computing

    def __call__(self, x: Any) -> Array:
        """Native or NumPy in, native out, in evaluation mode. Values are not looked at: `admit` does that."""
        network = self._network
        x = self.backend.asarray(x, dtype=network.dtype)
        with network.running:
            if tuple(x.shape[1:]) in network.seen:
                return self.forward(x)
            try:
                return self._read(network.first(x, lambda y: self._check(y, x.shape[0])))
            except Exception as error:
                if (cause := network.likely_cause(error, x, self._check)) is not None:
                    raise refusal(x, error, cause) from error
                raise

    def forward(self, x: Array) -> Array:
        """The bare computation, traceable: preprocessing, network, choice of the output. Only within `running()`."""
        return self._read(self._network.raw(x))

    def running(self) -> AbstractContextManager[None]:
        """Holds the network's lock and evaluation mode; on exit all is as it was. Reentrant."""
        return self._network.running

    def reseed(self, seed: int) -> None:
        """Start the streams of a network that draws random numbers anew, so that a run can be repeated."""
        self._network.reseed(seed)

    def _read(self, y: Array) -> Array:
        """From raw outputs to the model's: a binary output becomes two columns, labels become int32 (N,)."""
        kind, xp, rank = self.outputs, self.backend.xp, len(y.shape)
        if kind in ("logits", "probabilities"):
            if rank == 2 and y.shape[1] != 1:
                return y
            self._check(y, y.shape[0])
            y = xp.expand_dims(y, axis=1) if rank == 1 else y
            return xp.concat([xp.zeros_like(y) if kind == "logits" else 1 - y, y], axis=1)
        if kind == "labels":
            if rank == 2:
                y = xp.argmax(y, axis=1) if y.shape[1] > 1 else xp.reshape(y, (-1,))
            return xp.astype(y, xp.int32)
        return xp.reshape(y, (-1,)) if kind == "loss" and rank == 2 and y.shape[1] == 1 else y

    def _check(self, y: Array, rows: int) -> None:
        check_shape(y, rows, self.outputs, self._declared)

    # ---- data and outputs, looked at

    def admit(self, x: Any, *, what: str = "x") -> Array:
        """Native `x` in the model's dtype, as a constant. Raises DataError: empty, not numeric, not finite, outside."""
        x = admit(x, self.backend, self.bounds, self._network.dtype, what)
        self._given = dtype_name(x)
        self.channel_axis = self._network.axis(tuple(x.shape))[0]
        self._network.fit(tuple(x.shape))
        return x

    def examine(self, x: Array, outputs: Array | None = None) -> tuple[str, ...]:
        """Once per input shape, on real rows that `admit` returned: see `protocols.model`. Returns warnings.

        outputs: the model's answers for these rows, where they are known. A model that is not local is then asked
        nothing more, so that its rows stay counted exactly.
        """
        key, network = tuple(x.shape[1:]), self._network
        with network.running:
            modes = network.running.notes
            if key not in self._examined:
                self._examined[key] = tuple(
                    self._examine(span(x, 0, ROWS), None if outputs is None else span(outputs, 0, ROWS))
                )
            return (*self.notes, *modes, *network.seen.get(key, ()), *self._examined[key])

    def _examine(self, x: Array, outputs: Array | None) -> list[str]:
        if outputs is not None and not self.net.local:
            raw = outputs
        else:
            raw = self._asked(x)
        verdict = judge(self.backend.to_numpy(raw), self.outputs, self._declared, self.num_classes)
        self.outputs, self.num_classes = verdict.outputs, verdict.num_classes
        if not self.net.local:
            return [*verdict.notes]
        return [*verdict.notes, *repeated(self._network, x, raw, self.bounds), *self._slope(x), *self._trace(x)]

    def _asked(self, x: Array) -> Array:
        """Raw outputs for x; DataError when the network does not take it."""
        network, rows = self._network, int(x.shape[0])
        try:
            if tuple(x.shape[1:]) not in network.seen:
                return network.first(x, lambda y: self._check(y, rows))
            y = network.raw(x)
            self._check(y, rows)
            return y
        except Exception as error:
            cause = network.likely_cause(error, x, self._check)
            if cause is None and isinstance(error, ArmourError | MemoryError):
                raise
            raise refusal(x, error, cause) from error

    def _slope(self, x: Array) -> list[str]:
        if self._examined or "autodiff" not in self.capabilities:
            return []
        self._flat, notes = unsloped(self._network, x)
        return notes

    def _trace(self, x: Array) -> list[str]:
        if self._eager is None and isinstance(self.net, Traced):
            self._eager = self.net.untraceable(x)
            if self._eager is not None:
                return [f"{self.name} cannot be traced, so it is run eagerly, which is slower: {self._eager}"]
        return []

    def fingerprint(self) -> str | None:
        """SHA-256 of all that the outputs depend on: weights, buffers, their names, and the settings of this wrapper.

        None for a network that cannot show its weights, such as a function.
        """
        with self._network.running:
            state = self.net.state() if isinstance(self.net, Stateful) else {}
        if not state:
            return None
        given = self._network.preprocessing
        settings = (
            self.bounds,
            self.outputs,
            self._network.output,
            given and (given.mean.tolist(), given.std.tolist()),
        )
        digest = hashlib.sha256(repr((self.net.name, settings)).encode())
        for key, value in sorted(state.items()):
            digest.update(repr((key, str(value.dtype), value.shape)).encode())
            digest.update(value.tobytes())
        return digest.hexdigest()


def _is_model(net: Any) -> bool:
    promised = ("backend", "bounds", "outputs", "forward", "running", "admit", "examine")
    return isinstance(net, WrappedModel) or (not isinstance(net, type) and all(hasattr(net, name) for name in promised))


_DEFAULTS = {"bounds": (0, 1), "device": "auto", "seed": 0}


def _check_unchanged(model: Any, given: Mapping[str, Any]) -> None:
    """Raise ConfigError when a model that was wrapped before is asked to be another one."""
    for key, value in given.items():
        if key == "net" or value is None or (key in _DEFAULTS and value == _DEFAULTS[key]):
            continue
        same = ("bounds", "num_classes", "channel_axis", "outputs", "layout", "name")
        if key in same and value == getattr(model, key, None):
            continue
        if key in ("backend", "device") and value in (model.backend.name, model.backend.device):
            continue
        raise ConfigError(
            f"wrap: {model!r} is wrapped already, and {key}={value!r} would change it. Wrap the network itself: "
            f"wrap(model.native, {key}=...)."
        )


def _kind(net: Any) -> str:
    return f"{type(net).__module__}.{type(net).__qualname__}"


def _unknown(net: Any) -> str:
    if isinstance(net, type):
        return f"wrap: {net.__name__} is a class. Pass an object of it: wrap({net.__name__}(...))."
    if isinstance(net, str):
        return f"wrap: {net!r} is a string. Pass the network itself; the command line opens models by URI."
    backends = ", ".join(spec.name for spec in registry.list_plugins("backend")) or "none"
    if callable(net):
        made_of = ", ".join(sorted(frameworks(net) - {"builtins", "__main__"})) or "nothing that is known"
        return (
            f"wrap: no installed backend claims this {_kind(net)}, which is made of {made_of}. Installed: {backends}.\n"
            "  Install one that does; or say which tensors it takes: wrap(net, backend='numpy'), 'torch', 'tensorflow'."
        )
    return (
        f"wrap: no installed backend knows a {_kind(net)}, and it is not callable. Pass a network, an estimator or a "
        f"function. Installed backends: {backends}."
    )


def _nobody(net: Any, backend: str) -> ConfigError:
    known = ", ".join(spec.name for spec in registry.list_plugins("backend")) or "none"
    message = f"wrap: no installed backend {backend!r} takes a {_kind(net)}. Installed: {known}."
    failed = [failure.error for failure in registry.failures() if failure.stage == "armour_wrap_model"]
    if not failed:
        return ConfigError(message)
    error = ConfigError(f"{message}\n  One tried, and failed: {one_line(failed[-1])}")
    error.__cause__ = failed[-1]
    return error


def _one_of(key: str, value: str | None, accepted: tuple[str, ...]) -> str | None:
    if value is not None and value not in accepted:
        raise ConfigError(f"wrap: {key}={value!r}: expected one of {', '.join(accepted)}.")
    return value


def _bounds(value: Any) -> tuple[float, float]:
    try:
        lo, hi = (float(v) for v in value)
    except (TypeError, ValueError):
        raise ConfigError(f"wrap: bounds={value!r}: expected two numbers, as in bounds=(0, 1).") from None
    if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
        raise ConfigError(
            f"wrap: bounds={value!r}: expected two finite numbers, the lower one first: the data's range."
        )
    return lo, hi


def _classes(value: int | None) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 2):
        raise ConfigError(f"wrap: num_classes={value!r}: expected a whole number from 2.")
    return value if value is None else int(value)
