"""Where numbers come from: what was run, with which settings, on which versions, and the command that does it again."""

from __future__ import annotations

import datetime
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from armour_core import __version__
from armour_core.config import to_dict
from armour_core.data import Dataset
from armour_core.errors import ConfigError
from armour_core.protocols.model import Model

if TYPE_CHECKING:
    from armour_core.engine.evaluate import Unit


def tool() -> dict[str, str]:
    """Name and version of armour."""
    return {"name": "armour", "version": __version__}


def about_model(model: Model, uri: str = "") -> dict[str, Any]:
    """What a report says of a model."""
    fingerprint = getattr(model, "fingerprint", None)
    return {
        "name": model.name,
        "uri": uri,
        "backend": model.backend.name,
        "device": model.backend.device,
        "bounds": list(model.bounds),
        "outputs": model.outputs,
        "classes": model.num_classes,
        "capabilities": sorted(model.capabilities),
        "fingerprint": fingerprint() if callable(fingerprint) else None,
    }


def about_data(data: Dataset, drawn_from: int, seed: int) -> dict[str, Any]:
    """What a report says of data: `drawn_from` samples were there, and these were drawn with `seed`."""
    return {
        "name": data.name,
        "uri": data.uri,
        "samples": len(data),
        "drawn": f"{len(data)} of {drawn_from}, with seed {seed}" if len(data) < drawn_from else "all",
        "shape": list(data.x.shape),
        "dtype": str(data.x.dtype),
        "source": data.source,
        "fingerprint": data.fingerprint,
    }


def plugin_entries(units: Sequence[Unit]) -> tuple[Mapping[str, Any], ...]:
    """What each attack was, so that it can be made again."""
    return tuple(
        {
            "id": unit.id,
            "revision": unit.spec.revision if unit.spec else None,
            "origin": unit.spec.origin if unit.spec else "",
            "config": settings_of(unit.attack),
            "seed": unit.seed,
        }
        for unit in units
    )


def settings_of(plugin: Any) -> dict[str, Any]:
    """Its settings as plain values, or as Python shows it where they have no plain form."""
    try:
        return to_dict(plugin)
    except ConfigError:
        return {"object": repr(plugin)}


def environment(backend: str = "") -> dict[str, str]:
    """What the numbers were computed with."""
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("numpy", backend, "keras", "sklearn"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            versions[name] = str(version)
    return versions


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def command_line(model: str, data: str, options: Mapping[str, Any]) -> str:
    """`armour scan` with these options, quoted for a shell; options that are None are left out, lists are repeated."""
    words = ["armour", "scan", model, "--data", data]
    for name, value in options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is not None:
                words += [f"--{name.replace('_', '-')}", str(each)]
    return shlex.join(words)


def python_call(options: Mapping[str, Any]) -> str:
    """`armour.scan` with these options, for a model or data that exist in memory alone."""
    given = ", ".join(f"{name}={value!r}" for name, value in options.items() if value is not None)
    return f"armour.scan(model, data, {given})  # the objects that were scanned"
