"""Instruments: an eager twin of a backend, an attack under watch, the caller's generators, transfers to the host."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
from attrs import define

from armour_core.protocols.backend import Array, Backend

_OWN = ("start", "step", "finish", "again", "run")
_FETCHING = ("item", "tolist", "numpy", "cpu", "__array__", "__bool__", "__float__", "__int__", "__index__")


class Eager:
    """A backend that compiles nothing: each step is a Python call, so that what it does can be seen."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def compile(self, f: Callable[..., Any], model: Any = None) -> Callable[..., Any]:
        """`f` itself."""
        return f

    def iterate(self, step: Callable[..., Any], model: Any = None) -> Callable[..., dict[str, Array]]:
        """A plain loop."""

        def run(carry: Any, rows: Any, shared: Any, first: int, n: int) -> dict[str, Array]:
            for k in range(first, first + n):
                carry = step(carry, rows, shared, self._backend.asarray(np.int32(k)))
            return dict(carry)

        return run


class Elsewhere(Eager):
    """An eager backend that says it is on an accelerator: the engine looks at no value there."""

    device = "elsewhere"


def traceable(attack: Any) -> bool:
    """Whether its steps are compiled on a local model."""
    return hasattr(attack, "step") and bool(getattr(attack, "traceable", True))


class Referee(Eager):
    """An eager backend that is told of every row that a reference model computes.

    A gradient counts as the one forward pass that it is, also where a backend takes it from differences.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.rows = 0  #: computed so far

    def saw(self, rows: int) -> None:
        """The model computes these rows."""
        self.rows += rows

    def value_and_grad(self, f: Callable[..., Any]) -> Callable[[Array], Any]:
        """The backend's; of its calls of `f` the first counts."""

        def run(x: Array) -> Any:
            once = _Once(self, f)
            result = self._backend.value_and_grad(once)(x)
            self.rows = once.after
            return result

        return run

    def vjp(self, f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """The backend's; pulling back counts as no forward pass."""
        once = _Once(self, f)
        y, pull = self._backend.vjp(once, x)
        self.rows = once.after

        def back(cotangent: Array) -> Array:
            before = self.rows
            gradient = pull(cotangent)
            self.rows = before
            return gradient

        return y, back


class _Once:
    """A function that notes the referee's count after its first call."""

    def __init__(self, referee: Referee, f: Callable[..., Any]) -> None:
        self._referee, self._f = referee, f
        self.after = referee.rows
        self._called = False

    def __call__(self, x: Array) -> Any:
        result = self._f(x)
        if not self._called:
            self._called, self.after = True, self._referee.rows
        return result


@define(eq=False, slots=False, init=False)
class Watched:
    """An attack whose own functions run within a context; the engine's work between them does not."""

    def __init__(self, attack: Any, within: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        self._attack, self._within = attack, within

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._attack, name)
        if name == "stages":
            return lambda norm: [Watched(stage, self._within) if traceable(stage) else stage for stage in value(norm)]
        if name not in _OWN:
            return value

        @functools.wraps(value)
        def watched(*arguments: Any) -> Any:
            with self._within():
                return value(*arguments)

        return watched


class HostTransfer(AssertionError):
    """A tensor's value was fetched to the host within an attack's own function."""


class NoTransfers:
    """Raises where a tensor of this backend is fetched: by `to_numpy`, or by methods such as `.item()`.

    What the backend and its framework do within themselves does not count, and arrays whose class cannot be changed
    (NumPy's) are watched at `to_numpy` only.
    """

    def __init__(self, backend: Any) -> None:
        inner = backend._backend if isinstance(backend, Eager) else backend
        self._places: list[tuple[type, str, Any]] = []
        self.met: list[str] = []  #: what was fetched, even where the attack has swallowed the error
        tensor = type(inner.asarray(np.zeros(1, np.float32)))
        # a backend bears its framework's name, which the module of its tensors need not (jaxlib)
        exempt = {type(inner).__module__, tensor.__module__, inner.xp.__name__, inner.name, "numpy"}
        self._exempt = {name.partition(".")[0] for name in exempt} - {"armour_core"}
        self._inside = {type(inner).__module__}
        for owner, names in ((type(inner), ("to_numpy",)), (tensor, _FETCHING)):
            for name in names:
                if (original := getattr(owner, name, None)) is not None and self._can_change(owner, name):
                    self._places.append((owner, name, self._raising(name, original)))

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """The context within which fetching raises."""
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in self._places:
                stack.enter_context(mock.patch.object(owner, name, replacement))
            yield

    def _can_change(self, owner: type, name: str) -> bool:
        try:
            with mock.patch.object(owner, name, getattr(owner, name)):
                return True
        except TypeError:  # a built-in class, such as NumPy's array
            return False

    def _raising(self, name: str, original: Any) -> Callable[..., Any]:
        @functools.wraps(original)
        def guarded(*arguments: Any, **keywords: Any) -> Any:
            frame = sys._getframe(1)
            module = str(frame.f_globals.get("__name__", ""))
            if module.partition(".")[0] in self._exempt or module in self._inside:
                return original(*arguments, **keywords)
            where = f"{name} in {module}.{frame.f_code.co_name}, line {frame.f_lineno}"
            self.met.append(where)
            raise HostTransfer(where)

        return guarded


def generators() -> dict[str, Any]:
    """The state of each global generator of the frameworks that are imported."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    found: dict[str, Any] = {"random": random.getstate(), "numpy.random": (kind, bytes(keys), *rest)}  # type: ignore[arg-type]
    if (torch := sys.modules.get("torch")) is not None:
        found["torch"] = bytes(torch.get_rng_state().numpy())
    if (context := sys.modules.get("tensorflow.python.eager.context")) is not None:
        seeds = getattr(context.context(), "_rng", None)
        found["tensorflow"] = seeds.getstate() if isinstance(seeds, random.Random) else None
    if (stateful := sys.modules.get("tensorflow.python.ops.stateful_random_ops")) is not None:
        generator = getattr(stateful, "global_generator", None)
        found["tf.random.get_global_generator()"] = None if generator is None else bytes(generator.state.numpy())
    return found
