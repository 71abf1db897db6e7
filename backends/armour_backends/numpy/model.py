"""scikit-learn estimators and plain functions, as networks that answer and have no gradients."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from armour_backends.numpy.backend import NumpyBackend, backend_for
from armour_core.detection import captured, within
from armour_core.errors import ConfigError, DataError

Array = Any


def net_of(net: Any, device: str, options: Mapping[str, Any]) -> "NumpyNet":
    """The adapter of an estimator, or of a function over arrays. Raises ConfigError."""
    backend = backend_for(device)
    forward, name = options.get("forward"), options.get("input")
    if forward is not None:
        return NumpyNet(net, backend, lambda x: forward(net, x), dtype=None)
    if within(net, "sklearn") and hasattr(net, "predict"):
        return _estimator(net, backend, options.get("outputs"))
    if not callable(net):
        raise ConfigError(
            f"wrap(backend='numpy'): a {type(net).__qualname__} is not callable. Pass a function of a batch."
        )
    return NumpyNet(net, backend, (lambda x: net(**{name: x})) if name else net, dtype=None, notes=_training(net))


class NumpyNet:
    """`armour_core.protocols.model.Net` over a function from arrays to arrays."""

    local = False
    channel_axis = None

    def __init__(
        self,
        native: Any,
        backend: NumpyBackend,
        call: Callable[[np.ndarray], Any],
        *,
        dtype: str | None,
        outputs: str | None = None,
        num_classes: int | None = None,
        labels_only: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.native, self.backend, self._call = native, backend, call
        self.name = getattr(native, "__name__", None) or type(native).__name__
        self.dtype = dtype
        self.outputs, self.num_classes, self.notes = outputs, num_classes, notes
        self.capabilities = frozenset({"labels"} if labels_only else {"labels", "scores"})

    def forward(self, x: Array) -> Array:
        """The function's answer, as an array; containers of arrays are left to the caller."""
        y = self._call(x)
        parts = isinstance(y, Mapping) or (isinstance(y, tuple) and any(isinstance(part, np.ndarray) for part in y))
        return y if parts or isinstance(y, np.ndarray) else _array(y)

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """Functions have no modes."""
        return contextlib.nullcontext([])

    def buffers(self) -> Mapping[str, np.ndarray]:
        """None."""
        return {}

    def state(self) -> Mapping[str, np.ndarray]:
        """What an estimator has learned; nothing for a function."""
        if not within(self.native, "sklearn"):
            return {}
        found: dict[str, np.ndarray] = {}
        _learned(self.native, type(self.native).__qualname__, found, set())
        return found


def _array(y: Any) -> np.ndarray:
    try:
        return np.asarray(y)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"The function returned a {type(y).__module__}.{type(y).__qualname__}, which is no array: {error}\n"
            "  Return NumPy arrays (torch: .detach().cpu().numpy()); or, if it takes tensors of a framework, say so: "
            "wrap(net, backend='torch') or 'tensorflow'."
        ) from error


def _training(function: Any) -> tuple[str, ...]:
    """A note for each network that the function reaches and that is in training mode now."""
    found = [thing for thing in captured(function) if within(thing, "torch.nn") and getattr(thing, "training", False)]
    return tuple(
        f"{type(thing).__name__}, which the function uses, is in training mode; a function is run as it is: call "
        ".eval() first"
        for thing in found
    )


def _estimator(net: Any, backend: NumpyBackend, asked: str | None) -> NumpyNet:
    """The best that an estimator answers: probabilities, else scores, else labels."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(net)
    except NotFittedError as error:
        raise ConfigError(f"wrap: this {type(net).__name__} is not fitted. Call fit(x, y) first.") from error
    classes = getattr(net, "classes_", None)
    if isinstance(classes, list):
        raise ConfigError(
            f"wrap: {type(net).__name__} has several outputs; one is wanted: wrap(net, forward=lambda net, x: ...)."
        )
    if classes is None or not any(hasattr(net, method) for method in ("predict_proba", "decision_function", "predict")):
        scored = asked != "labels" and hasattr(net, "decision_function")  # an outlier detector
        method = net.decision_function if scored else net.predict
        return NumpyNet(net, backend, lambda x: np.asarray(method(_flat(x))), dtype=None, outputs=asked or "scores")
    count = len(classes)
    notes = () if np.array_equal(classes, np.arange(count)) else (f"labels are places in classes_: {_some(classes)}",)
    common: dict[str, Any] = {"dtype": None, "num_classes": count, "notes": notes}
    if asked in (None, "probabilities") and hasattr(net, "predict_proba"):
        return NumpyNet(net, backend, lambda x: net.predict_proba(_flat(x)), outputs="probabilities", **common)
    if asked in (None, "scores", "logits") and hasattr(net, "decision_function"):
        return NumpyNet(net, backend, _decision(net, count), outputs=asked or "scores", **common)
    if asked in (None, "labels"):
        return NumpyNet(net, backend, _predicted(net, classes), outputs="labels", labels_only=True, **common)
    offers = [m for m in ("predict_proba", "decision_function", "predict") if hasattr(net, m)]
    raise ConfigError(
        f"wrap(outputs={asked!r}): {type(net).__name__} offers {', '.join(offers)}. Leave outputs out to get the best "
        "of these."
    )


def _learned(value: Any, path: str, found: dict[str, np.ndarray], above: set[int]) -> None:
    """Every array, number and string reachable from an estimator, by its path; the classes of what lies between."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        found[path] = value
    elif value is None or isinstance(value, str | bytes | bool | int | float | np.generic):
        found[path] = np.frombuffer(repr(value).encode(), np.uint8)
    elif id(value) not in above:
        found[f"{path}:{type(value).__qualname__}"] = np.empty(0, np.uint8)
        for name, part in _parts(value):
            _learned(part, f"{path}/{name}", found, above | {id(value)})


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return sorted(value.items(), key=lambda item: str(item[0]))
    if isinstance(value, list | tuple | np.ndarray):
        return enumerate(value)
    if isinstance(value, set | frozenset):
        return enumerate(sorted(value, key=repr))
    if callable(value) or isinstance(value, np.random.RandomState | np.random.Generator):
        return ()
    state = value.__getstate__()
    return sorted(state.items(), key=lambda item: str(item[0])) if isinstance(state, dict) else ()


def _flat(x: np.ndarray) -> np.ndarray:
    """Estimators take (samples, features)."""
    return x if x.ndim == 2 else x.reshape(len(x), -1)


def _decision(net: Any, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """One score per class: with two classes scikit-learn gives one number, above 0 for the second."""

    def call(x: np.ndarray) -> np.ndarray:
        scores = np.asarray(net.decision_function(_flat(x)))
        if scores.ndim == 1:
            return np.stack([np.zeros_like(scores), scores], axis=1)
        if scores.shape[1] != count:
            raise ConfigError(
                f"wrap: decision_function of {type(net).__name__} gives {scores.shape[1]} columns for {count} classes "
                "(one against one). Set decision_function_shape='ovr', or use wrap(net, outputs='labels')."
            )
        return scores

    return call


def _predicted(net: Any, classes: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    order = np.argsort(classes, kind="stable")
    ranked = np.asarray(classes)[order]

    def call(x: np.ndarray) -> np.ndarray:
        return order[np.searchsorted(ranked, net.predict(_flat(x)))].astype(np.int32)

    return call


def _some(classes: Any) -> str:
    shown = ", ".join(map(str, classes[:5]))
    return shown + (", ..." if len(classes) > 5 else "")
