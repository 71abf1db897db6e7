"""Fields of a configuration: each checks its value where it is declared, and says what it accepts.

    @frozen(kw_only=True)
    class PGD:
        norm: str = norm_field("linf", "l2", "l1")
        steps: int = positive_int(40)  #: gradient steps in one round
        rel_step: float | None = positive(None)  #: step over eps; None means 2.5 / steps

A value that is not accepted raises ConfigError, which names class, field, the value found and what is accepted. NaN,
infinities, a bool where a number is meant and a string where a number is meant are refused everywhere. NumPy scalars
become plain numbers, so that two spellings of one configuration are equal and hash alike. A field whose default is
None, or that is declared `optional=True`, accepts None as well. Without a default the field must be given.
"""

import math
import re
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Final

from attrs import NOTHING, Attribute, field

from armour_core.errors import ConfigError
from armour_core.specs import normalise

NORMS: Final = ("linf", "l2", "l1", "l0")
"""The norms armour knows, as they are spelled in configurations and reports."""

ACCEPTS: Final = "armour.accepts"
"""Key in a field's metadata: what the field accepts, in words (`armour show` prints it)."""

KIND: Final = "armour.kind"
"""Key in a field's metadata: the kind of plugin that the field names (`name_of`)."""

_FIRST: Final = object()  # "the first of those listed"; None is a default of its own

_NORM_SPELLINGS: Final = {
    **dict.fromkeys(("linf", "inf", "infinity", "linfinity", "linfty", "max", "l∞", "∞"), "linf"),
    **{spelling: f"l{p}" for p in (2, 1, 0) for spelling in (f"l{p}", str(p), f"{p}.0")},
}


def norm_name(value: object) -> object:
    """Spell a norm as armour does: `"Linf"`, `"l_inf"`, `inf`, `np.inf` give "linf"; `2`, `"L2"` give "l2".

    What is no norm comes back as it is, for a validator to refuse with the field's name.
    """
    if isinstance(value, bool) or not isinstance(value, str | Real):
        return value
    spelling = str(value).strip().lower()
    return value if spelling[:1] == "-" else _NORM_SPELLINGS.get(re.sub(r"[-_ ]", "", spelling), value)


def norm_field(*norms: str, default: Any = _FIRST, optional: bool = False) -> Any:
    """The norms an attack implements, by default the first. Accepts every usual spelling of these; see `norm_name`."""
    known = tuple(str(norm_name(norm)) for norm in norms)
    if not known or not set(known) <= set(NORMS):
        raise ConfigError(f"norm_field{norms!r}: name at least one norm of {', '.join(NORMS)}.")
    default = known[0] if default is _FIRST else default
    return _field(
        default, optional, norm_name, lambda v: isinstance(v, str) and v in known, "one of the norms " + _listed(known)
    )


def positive_int(default: Any = NOTHING, *, optional: bool = False) -> Any:
    """A whole number of at least 1."""
    return _field(default, optional, _whole, lambda v: type(v) is int and v >= 1, "a whole number of at least 1")


def non_negative_int(default: Any = NOTHING, *, optional: bool = False) -> Any:
    """A whole number of at least 0."""
    return _field(default, optional, _whole, lambda v: type(v) is int and v >= 0, "a whole number of at least 0")


def positive(default: Any = NOTHING, *, optional: bool = False) -> Any:
    """A finite number above 0. Becomes a float."""
    return _field(default, optional, _real, lambda v: _finite(v) and v > 0, "a finite number above 0")


def non_negative(default: Any = NOTHING, *, optional: bool = False) -> Any:
    """A finite number of at least 0. Becomes a float."""
    return _field(default, optional, _real, lambda v: _finite(v) and v >= 0, "a finite number of at least 0")


def fraction(default: Any = NOTHING, *, optional: bool = False) -> Any:
    """A number from 0 to 1, both included. Becomes a float."""
    return number(default, low=0.0, high=1.0, optional=optional)


def number(
    default: Any = NOTHING, *, low: float | None = None, high: float | None = None, optional: bool = False
) -> Any:
    """A finite number from `low` to `high`, both included; None leaves that side open. Becomes a float."""

    def accepted(value: Any) -> bool:
        return _finite(value) and (low is None or value >= low) and (high is None or value <= high)

    if low is not None and high is not None:
        accepts = f"a number from {low:g} to {high:g}"
    elif low is not None:
        accepts = f"a finite number of at least {low:g}"
    elif high is not None:
        accepts = f"a finite number of at most {high:g}"
    else:
        accepts = "a finite number"
    return _field(default, optional, _real, accepted, accepts)


def choice(*options: Any, default: Any = _FIRST, optional: bool = False) -> Any:
    """One of `options` (of the same type, so that True is not 1), by default the first."""
    if not options:
        raise ConfigError("choice(): name at least one option.")
    default = options[0] if default is _FIRST else default

    def accepted(value: Any) -> bool:
        return any(type(value) is type(option) and value == option for option in options)

    return _field(default, optional, None, accepted, "one of " + _listed(tuple(map(repr, options))))


def flag(default: Any = NOTHING, *, optional: bool = False) -> Any:
    """True or False; not 0, 1 or a string."""
    return _field(default, optional, _truth, lambda v: type(v) is bool, "True or False")


def name_of(kind: str, default: Any = NOTHING, *, optional: bool = False) -> Any:
    """The name of a plugin of this kind: "ce", "their-dist/focal". Whether it exists is asked when it is used."""
    return _field(default, optional, _plugin_name, _is_plugin_name, f"the name of a registered {kind}", {KIND: kind})


def names_of(kind: str, default: Any = (), *, optional: bool = False) -> Any:
    """Names of plugins of this kind: a sequence of them, or one string with commas, "pgd,square". Becomes a tuple."""

    def names(value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(_plugin_name(part) for part in parts) if isinstance(parts, list | tuple) else value

    def accepted(value: Any) -> bool:
        return isinstance(value, tuple) and all(_is_plugin_name(part) for part in value)

    return _field(default, optional, names, accepted, f'names of registered {kind}s, as in "a,b"')


def _field(
    default: Any,
    optional: bool,
    convert: Callable[[Any], Any] | None,
    accepted: Callable[[Any], bool],
    accepts: str,
    metadata: dict[str, Any] | None = None,
) -> Any:
    optional = optional or default is None
    accepts += " or None" if optional else ""

    def check(instance: object, attribute: "Attribute[Any]", value: Any) -> None:
        if not (value is None and optional) and not accepted(value):
            raise ConfigError(f"{type(instance).__name__}.{attribute.name} is {_shown(value)}: give {accepts}.")

    return field(default=default, converter=convert, validator=check, metadata={ACCEPTS: accepts, **(metadata or {})})


# Converters give back what they do not understand: the validator, which knows class and field, refuses it.


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _real(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value
    except OverflowError:  # a whole number beyond the range of floats
        return value


def _truth(value: Any) -> Any:
    return bool(value) if type(value).__name__ in ("bool_", "bool") and hasattr(value, "dtype") else value


def _plugin_name(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    origin, slash, name = value.strip().rpartition("/")
    return origin + slash + normalise(name)


def _is_plugin_name(value: Any) -> bool:
    return isinstance(value, str) and value.rpartition("/")[2].isidentifier()


def _finite(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _shown(value: Any) -> str:
    """The value and, where its print hides it, its type: '40' in quotes is plain enough, a tensor is not."""
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if value is None or isinstance(value, str | bool | int | float) else f"{text} ({type(value).__name__})"
