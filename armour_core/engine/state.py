"""What the engine asks of an attack's state, and how an attack is told from another."""

from __future__ import annotations

from typing import Any

import attrs

from armour_core import registry
from armour_core.errors import ContractError
from armour_core.fields import KIND
from armour_core.protocols.backend import Array


def describe(attack: Any) -> str:
    """How messages name an attack."""
    spec = registry.spec_of(attack)
    return type(attack).__name__ if spec is None else spec.id


def identity(attack: Any) -> Any:
    """What tells one attack from another in a key: its value, where it has one, else the object itself; and the code
    behind the plugins it names, which a notebook may register again.
    """
    try:
        hash(attack)
    except TypeError:
        return _Same(attack)
    fields = attrs.fields(type(attack)) if attrs.has(type(attack)) else ()
    named = [(f.metadata[KIND], getattr(attack, f.name)) for f in fields if KIND in f.metadata]
    return attack, tuple(registry.load(kind, name) for kind, name in named if name is not None)


class _Same:
    """An unhashable object as a key; holds it, so that its id stays its own."""

    def __init__(self, held: Any):
        self._held = held

    def __hash__(self) -> int:
        return id(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._held is self._held


def shapes(*parts: dict[str, Array]) -> tuple[Any, ...]:
    """Keys, shapes and dtypes of dicts of tensors, for a key."""
    return tuple((key, tuple(value.shape), value.dtype) for part in parts for key, value in sorted(part.items()))


def check_start(name: str, state: Any, n: int) -> None:
    """A state is a flat dict of tensors whose first axis is the sample. Raises ContractError."""
    if not isinstance(state, dict):
        raise ContractError(f"{name}: the state is a {type(state).__name__}. Return a flat dict of tensors.")
    for key, value in state.items():
        shape = getattr(value, "shape", None)
        if shape is None or len(shape) == 0 or shape[0] != n:
            found = f"a {type(value).__name__}" if shape is None else f"of shape {tuple(shape)}"
            raise ContractError(
                f"{name}: state[{key!r}] is {found}, but the first axis of each entry is the sample ({n} rows now). "
                "What all rows share is a field of the attack, or a row repeated N times."
            )


def check_same(name: str, where: str, old: dict[str, Array], new: Any) -> None:
    """Keys, shapes and dtypes never change after `start`: one message for all backends. Raises ContractError."""
    if not isinstance(new, dict) or new.keys() != old.keys():
        found = sorted(new) if isinstance(new, dict) else f"a {type(new).__name__}"
        raise ContractError(f"{name}: {where} returned the state {found}, but start fixed {sorted(old)}.")
    for key, value in new.items():
        was = old[key]
        if tuple(getattr(value, "shape", ())) != tuple(was.shape) or getattr(value, "dtype", None) != was.dtype:
            raise ContractError(
                f"{name}: {where} returned state[{key!r}] as {tuple(getattr(value, 'shape', ()))} "
                f"{getattr(value, 'dtype', '')}, "
                f"but start fixed it as {tuple(was.shape)} {was.dtype}."
            )
