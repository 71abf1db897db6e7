"""What an attack says of itself: its attributes, its tags, and the norms that it does not know."""

from __future__ import annotations

from typing import Any

import attrs

from armour_core import registry
from armour_core.errors import ConfigError, PluginLoadError
from armour_core.fields import NORMS
from armour_core.specs import Spec
from armour_core.testing.verdicts import NotJudged, expect


def norms_of(spec: Spec) -> tuple[str, ...]:
    """The norms that its tags name; the default one where they name none."""
    named = tuple(norm for norm in NORMS if norm in spec.tags)
    if named:
        default = _created(spec).norm
        return (default, *(norm for norm in named if norm != default))
    return (_created(spec).norm,)


def attributes_sane(spec: Spec) -> None:
    """norm, steps, rounds, minimum, traceable are of their types, as the tags say, and the object is frozen."""
    attack = _created(spec)
    forms = [name for name in ("step", "run", "stages") if callable(getattr(attack, name, None))]
    expect(
        len(forms) == 1,
        f"it has {' and '.join(forms) or 'neither step, run nor stages'}: an attack has start, step "
        "and finish, or run, or stages.",
    )
    if forms == ["step"]:
        missing = [name for name in ("start", "finish") if not callable(getattr(attack, name, None))]
        expect(not missing, f"it has step, but no {' and no '.join(missing)}.")
        _whole(attack, "steps")
    _whole(attack, "rounds", optional=True)
    expect(
        getattr(attack, "norm", None) in NORMS, f"norm is {getattr(attack, 'norm', None)!r}: one of {', '.join(NORMS)}."
    )
    for name in ("minimum", "traceable"):
        value = getattr(attack, name, True)
        expect(isinstance(value, bool), f"{name} is {value!r}: True or False.")
    minimum = bool(getattr(attack, "minimum", False))
    for tag, holds in (("minimum-norm", minimum), ("fixed-budget", not minimum)):
        expect(holds or tag not in spec.tags, f"the tags say {tag!r}, but minimum is {minimum}.")
    expect(
        not (named := spec.tags & set(NORMS)) or attack.norm in named,
        f"the tags name the norms {', '.join(sorted(named))}, but the default is {attack.norm!r}.",
    )
    field = next((field.name for field in attrs.fields(type(attack)) if field.init), None)
    if field is None:
        return
    try:
        setattr(attack, field, getattr(attack, field))
    except AttributeError:
        return
    expect(False, f"{field} can be set on a made attack: declare the class with @attrs.frozen.")


def refuses_other_norms(spec: Spec) -> None:
    """A norm that it does not implement is a ConfigError."""
    known = norms_of(spec)
    for norm in NORMS:
        if norm in known:
            try:
                _created(spec, norm=norm)
            except ConfigError as error:
                expect(len(known) == 1 and "no setting 'norm'" in str(error), f"the tags say {norm!r}, but: {error}")
            continue
        try:
            _created(spec, norm=norm)
        except ConfigError:
            continue
        expect(
            False,
            f"norm={norm!r} is accepted, but its tags name {', '.join(known)}: declare the field with "
            f"armour_core.fields.norm_field({', '.join(map(repr, known))}), or add the tag.",
        )


def _created(spec: Spec, **settings: Any) -> Any:
    try:
        return registry.create(spec.kind, spec.id, **settings)
    except PluginLoadError as error:
        raise NotJudged("it cannot be imported") from error


def _whole(attack: Any, name: str, optional: bool = False) -> None:
    value = getattr(attack, name, 1 if optional else None)
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    expect(whole, f"{name} is {value!r}: a whole number of at least 1, which the engine counts to.")
