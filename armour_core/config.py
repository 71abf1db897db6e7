"""Configurations as plain values: for reports, for files, for the identity of a unit of work.

A configured plugin is a frozen attrs object; `to_dict` gives its fields as JSON holds them, `from_dict` makes it again.
A field that holds another plugin becomes `{"plugin": id, "config": {...}}`; sequences become lists, and tuples again.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import attrs

from armour_core import registry
from armour_core.errors import ConfigError

_NESTED = frozenset({"plugin", "config"})


def to_dict(algorithm: Any) -> dict[str, Any]:
    """The settings of a configured plugin as plain JSON values, in the order of its fields.

    Raises ConfigError for a plugin that is no attrs object, and for a setting that has no plain form (a function, an
    array, an infinity), naming it.
    """
    if not attrs.has(type(algorithm)):
        raise ConfigError(
            f"{type(algorithm).__name__} is no attrs class, so its settings are unknown: declare it with @attrs.frozen."
        )
    return {
        field.alias: _plain(getattr(algorithm, field.name), f"{type(algorithm).__name__}.{field.name}")
        for field in attrs.fields(type(algorithm))
        if field.init
    }


def from_dict(kind: str, name: str, config: Mapping[str, Any]) -> Any:
    """The configured plugin again. Raises ConfigError where the settings do not fit it."""
    return registry.create(kind, name, **{key: _restored(value) for key, value in config.items()})


def config_hash(algorithm: Any) -> str:
    """16 hex digits that equal settings share and different ones do not, on every machine and run."""
    text = json.dumps(to_dict(algorithm), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def configured_id(algorithm: Any) -> tuple[str, dict[str, Any]]:
    """The id and the settings that make this plugin again. "module:Class" stands for a class that is not registered."""
    spec = registry.spec_of(algorithm)
    made_by = type(algorithm)
    return spec.id if spec else f"{made_by.__module__}:{made_by.__qualname__}", to_dict(algorithm)


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(entry, f"{where}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry, f"{where}[{at}]") for at, entry in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted(_plain(entry, where) for entry in value)
    if attrs.has(type(value)) and (spec := registry.spec_of(value)) is not None:
        return {"plugin": spec.id, "config": to_dict(value)}
    if type(value).__name__ in ("bool_", "bool") and hasattr(value, "item"):
        return bool(value)
    raise ConfigError(
        f"{where} is {value!r} ({type(value).__name__}), which has no plain form: "
        "settings are finite numbers, strings, sequences and mappings of these, and registered plugins."
    )


def _restored(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == _NESTED:
            kind, _, name = str(value["plugin"]).partition(":")
            return from_dict(kind, name, value["config"])
        return {key: _restored(entry) for key, entry in value.items()}
    return tuple(map(_restored, value)) if isinstance(value, list | tuple) else value
