"""An attack's functions in the form that backends compile: dicts of tensors in, dicts of tensors out.

A carry holds the books, and the attack's own state beside them under a prefix. What a function sees besides its
arguments (attack, frame, model, the way of sending) is static and in its key; no tensor is held here, so that compiled
code keeps no batch alive.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from armour_core.engine.books import Books, frozen_rows
from armour_core.engine.losses import named_loss
from armour_core.engine.pace import Pace
from armour_core.engine.problem import Frame
from armour_core.engine.rows import Rows
from armour_core.engine.send import Exact, Traced
from armour_core.engine.state import check_same, check_start, describe, identity, shapes
from armour_core.engine.view import View
from armour_core.protocols.backend import Array
from armour_core.protocols.model import Model
from armour_core.rng import Rng

STATE = "state/"  # prefix of the attack's own keys within a carry
_PIECES = 128  # compiled pieces a model keeps; the oldest go first


class Code:
    """The functions of one attack within one frame."""

    def __init__(self, attack: Any, frame: Frame, model: Model, sample: tuple[int, ...]):
        """sample: the shape of one."""
        self.attack, self.frame, self.model = attack, frame, model
        self.backend = model.backend
        self.name = describe(attack)
        self.python = not getattr(attack, "traceable", True)  # k and r are ints
        self.loss = functools.cache(named_loss)  # looked up once a batch
        self.forward = compiled(model, ("forward",), lambda: model.forward) if model.local else model.forward
        padded = model.local and self.backend.static_shapes
        self.send = Exact(model, frame.row_limit, self.forward, padded) if frame.exact else Traced(model)

        static = self.backend.static_shapes and not frame.exact
        key = ("pace", sample, frame, identity(attack))
        self.pace: Pace = _kept(model, key, lambda: Pace(static, frame.row_limit))

    # ---- called by the driver
    def open(self, carry: Rows, rows: Rows, shared: Rows, r: int) -> Rows:
        """Open round r: `start`, or `again` where the attack has one."""
        function = self._again if r > 0 and hasattr(self.attack, "again") else self._start
        if self.frame.exact:
            return function(carry, rows, shared, r if self.python else self._number(r))
        code = self._compiled(function.__name__, lambda: function, carry, rows, shared)
        return code(carry, rows, shared, self._number(r))  # type: ignore[no-any-return]

    def steps(self, carry: Rows, rows: Rows, shared: Rows, first: int, n: int) -> Rows:
        """Steps first .. first + n - 1."""
        if not self.frame.exact:
            code = self._compiled("step", lambda: self._step, carry, rows, shared, loop=True)
            return code(carry, rows, shared, first, n)  # type: ignore[no-any-return]
        for k in range(first, first + n):
            carry = self._step(carry, rows, shared, k if self.python else self._number(k))
        return carry

    def view(self, carry: Rows, rows: Rows, shared: Rows, wake: bool = False) -> tuple[View, Rows]:
        """The problem as the attack sees it, and its state. wake: rows that rested come back."""
        state = {key[len(STATE) :]: value for key, value in carry.items() if key.startswith(STATE)}
        entries = {key: value for key, value in carry.items() if not key.startswith(STATE)}
        books = Books(self.frame, self.backend, entries, None if wake else state.get("done"))
        return View(self.frame, self.model, self.send, rows, shared, books, self.loss), state

    def rng(self, rows: Rows, shared: Rows) -> Rng:
        """The stream of the round, bound to these rows."""
        return Rng(self.backend, shared["key"], rows["index"], rows["x"].ndim, self.frame.channel_axis)

    # ---- traced
    def _start(self, carry: Rows, rows: Rows, shared: Rows, r: Any) -> Rows:
        view, state = self.view(carry, rows, shared, wake=True)
        return self._opened(view, state, self.attack.start(view, self.rng(rows, shared)), "start")

    def _again(self, carry: Rows, rows: Rows, shared: Rows, r: Any) -> Rows:
        view, state = self.view(carry, rows, shared, wake=True)
        return self._opened(view, state, self.attack.again(view, state, r, self.rng(rows, shared)), "again")

    def _opened(self, view: View, old: Rows, new: Any, where: str) -> Rows:
        check_start(self.name, new, view.x.shape[0])
        if old:
            check_same(self.name, where, old, new)
        return _carry(view, new)

    def _step(self, carry: Rows, rows: Rows, shared: Rows, k: Any) -> Rows:
        view, state = self.view(carry, rows, shared)
        new = self.attack.step(view, state, k, self.rng(rows, shared).fork("step").at(k))
        check_same(self.name, "step", state, new)
        still = state.get("done")  # rests: steps computed beside it must not move it
        if self.frame.counted:  # nor may they move what cannot pay for them
            still = carry["over"] if still is None else still | carry["over"]
        if still is not None:
            new = frozen_rows(self.backend, still, state, new)
        return _carry(view, new)

    # ----
    def _number(self, k: int) -> Array:
        return self.backend.asarray(k, "int32")

    def _compiled(self, name: str, make: Callable[[], Any], *tensors: Rows, loop: bool = False) -> Callable[..., Any]:
        key = (name, shapes(*tensors), self.frame, identity(self.attack))
        return compiled(self.model, key, make, loop)


def _carry(view: View, state: Rows) -> Rows:
    return view.books.close() | {STATE + key: value for key, value in state.items()}


def compiled(
    model: Model, key: tuple[Any, ...], make: Callable[[], Callable[..., Any]], loop: bool = False
) -> Callable[..., Any]:
    """Compiled code, made once for a key."""
    compiler = model.backend.iterate if loop else model.backend.compile
    return _kept(model, key, lambda: compiler(make(), model))  # type: ignore[no-any-return]


def _kept(model: Model, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """Kept by the model, so that it dies with it; the oldest pieces go first."""
    store = model.compiled
    if key not in store:
        while len(store) >= _PIECES:
            del store[next(iter(store))]
        store[key] = make()
    return store[key]
