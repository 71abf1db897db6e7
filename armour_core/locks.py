"""One lock for each network, however many wrappers share it, and what is put back when its holder lets go."""

import threading
import weakref
from contextlib import ExitStack
from typing import Any, Protocol


class Pin(Protocol):
    """Something of the user's that a network moves when it runs: put aside on entry, put back on exit."""

    def enter(self) -> None:
        """Remember the user's state; install ours."""

    def leave(self) -> None:
        """Put the user's state back."""


class NetLock:
    """Who computes with a network now: a reentrant lock, and the evaluation mode that its outermost holder entered."""

    __slots__ = ("__weakref__", "depth", "lock", "mode", "notes")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth = 0  #: read and written by the lock's holder only, as are the rest
        self.mode: Any = None
        self.notes: list[str] = []  #: what entering evaluation mode had to say


class Running:
    """Holds a network's lock and its evaluation mode. Reentrant: only the outermost one looks at flags.

    One object serves all calls of one wrapper, since its own state is touched only with the lock held.
    """

    __slots__ = ("_depth", "_held", "_net", "_pins")

    def __init__(self, net: Any, owner: object) -> None:
        self._held, self._net = lock_of(owner), net
        self._depth = 0
        self._pins: list[Pin] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the evaluation mode that is held now had to say. Only within."""
        return tuple(self._held.notes)

    def pin(self, pin: Pin) -> None:
        """Put this back too from now on. Only within, with the user's state in place."""
        pin.enter()
        self._pins.append(pin)

    def __enter__(self) -> None:
        held = self._held
        held.lock.acquire()
        try:
            if held.depth == 0:
                held.mode = self._net.evaluation()
                held.notes = held.mode.__enter__()
            held.depth += 1
        except BaseException:
            held.lock.release()
            raise
        self._depth += 1
        if self._depth == 1 and self._pins:
            entered: list[Pin] = []
            try:
                for pin in self._pins:
                    pin.enter()
                    entered.append(pin)
            except BaseException as error:
                try:
                    _leave(entered)
                finally:
                    self._let_go(type(error), error, error.__traceback__)
                raise

    def __exit__(self, *error: Any) -> None:
        try:
            if self._depth == 1 and self._pins:
                _leave(self._pins)
        finally:
            self._let_go(*error)

    def _let_go(self, *error: Any) -> None:
        held = self._held
        self._depth -= 1
        held.depth -= 1
        try:
            if held.depth == 0:
                mode, held.mode = held.mode, None
                mode.__exit__(*error)
        finally:
            held.lock.release()


def _leave(pins: list[Pin]) -> None:
    """All of them, last one first, also when one fails."""
    with ExitStack() as stack:
        for pin in pins:
            stack.callback(pin.leave)


_LOCKS: dict[int, tuple[weakref.ref[Any], NetLock]] = {}
_GUARD = threading.Lock()


def lock_of(net: object) -> NetLock:
    """The lock of this very object (by identity: networks need not be hashable). Dies with it.

    An object that cannot be referred to weakly gets a lock of its own with each call: its wrappers do not share a lock.
    """
    place = id(net)
    with _GUARD:
        known = _LOCKS.get(place)
        if known is not None and known[0]() is net:
            return known[1]
        held = NetLock()
        try:
            reference = weakref.ref(net, lambda _, place=place, held=held: _forget(place, held))  # type: ignore[misc]
        except TypeError:
            return held
        _LOCKS[place] = (reference, held)
        return held


def _forget(place: int, held: NetLock) -> None:
    # without _GUARD: a collection may run in the thread that holds it; each single operation here is atomic
    known = _LOCKS.get(place)
    if known is not None and known[1] is held:
        _LOCKS.pop(place, None)
