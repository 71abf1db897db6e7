"""What holds for a plugin of any kind: it is there, says what it is, costs nothing to list, and can be stored."""

from __future__ import annotations

import functools
import inspect
import json
import subprocess
import sys

import attrs

from armour_core import config, registry
from armour_core.errors import PluginLoadError
from armour_core.specs import Spec
from armour_core.testing.verdicts import NotJudged, expect

FRAMEWORKS = ("torch", "tensorflow", "keras", "tf_keras", "jax", "flax", "mxnet", "paddle", "cupy")
"""Modules that listing must not import: each costs seconds."""

_NEUTRAL = ("attack", "loss")  # kinds whose code is written over p.xp and imports no framework at all

_PROBE = """
import importlib, json, sys
sys.path[:] = {path!r}
from armour_core import registry
registry.list_plugins()
listed = sorted(set(sys.modules) & set({frameworks!r}))
importlib.import_module({module!r})
print(json.dumps([listed, sorted(set(sys.modules) & set({frameworks!r}))]))
"""


def imports(spec: Spec) -> None:
    """The target exists, and is something that makes a plugin."""
    try:
        target = registry.load(spec.kind, spec.id)
    except PluginLoadError as error:
        expect(False, str(error))
    expect(
        callable(target),
        f"{spec.target} is a {type(target).__name__}: name a class, or a function that makes a plugin.",
    )


def says_what_it_is(spec: Spec) -> None:
    """One line of summary; named like its file; what it is taken from, where it says so."""
    expect(spec.summary.strip(), "the Spec has no summary: one line that says what it does.")
    expect("\n" not in spec.summary, "the Spec's summary has several lines; it is shown in lists.")
    expect(
        spec.reference is None or spec.reference.strip(), "the Spec's reference is empty: an arXiv id, a DOI, or None."
    )
    if spec.origin:
        parts = spec.target.partition(":")[0].split(".")
        # a backend is a folder of files named alike; a distribution of its own is one: armour_jax.backend
        places = [*parts[-2:], *parts[-2:][0].split("_")] if spec.kind == "backend" else parts[-1:]
        expect(
            spec.name in places,
            f"it is named {spec.name!r}, but lives in {'.'.join(parts)}: name and file are the "
            "same, so that one finds the other.",
        )
    if spec.origin == "armour" and spec.kind == "attack":
        expect(spec.reference or "baseline" in spec.tags, "the Spec has no reference: the paper's arXiv id or DOI.")


def lists_without_frameworks(spec: Spec) -> None:
    """Listing plugins imports no framework; nor does importing an attack or a loss."""
    neutral = spec.kind in _NEUTRAL and spec.extra is None
    module = spec.target.partition(":")[0] if neutral else "armour_core"
    found = _imported(module, tuple(sys.path))
    if isinstance(found, str):
        raise NotJudged(f"{module} cannot be imported in a process of its own: {found}")
    listed, loaded = found
    expect(
        not listed,
        f"listing plugins imports {', '.join(listed)}. The module that the entry point names imports nothing heavy: "
        "put armour_specs in one that imports none of the others.",
    )
    if neutral:
        expect(
            not loaded,
            f"importing {module} imports {', '.join(loaded)}. Use p.xp and p.backend, which are those of the model; or "
            "say extra= in the Spec where the plugin is for one framework alone.",
        )


@functools.cache
def _imported(module: str, path: tuple[str, ...]) -> tuple[list[str], list[str]] | str:
    code = _PROBE.format(path=list(path), frameworks=FRAMEWORKS, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().rpartition("\n")[2]
    listed, loaded = json.loads(done.stdout.splitlines()[-1])
    return listed, loaded


def round_trips(spec: Spec) -> None:
    """The settings as plain JSON values make an equal plugin again."""
    try:
        made_by = registry.load(spec.kind, spec.id)
    except PluginLoadError as error:
        raise NotJudged("it cannot be imported") from error
    if not (inspect.isclass(made_by) and attrs.has(made_by)):
        expect(
            spec.kind not in _NEUTRAL or not inspect.isclass(made_by),
            f"{made_by!r} is no attrs class, so its settings are unknown: declare it with @attrs.frozen(kw_only=True).",
        )
        raise NotJudged("it is no attrs class")
    needed = [f.alias for f in attrs.fields(made_by) if f.init and f.default is attrs.NOTHING]
    if needed:
        raise NotJudged(f"it needs {', '.join(needed)} to be made")
    plugin = registry.create(spec.kind, spec.id)
    plain = config.to_dict(plugin)
    again = config.from_dict(spec.kind, spec.id, json.loads(json.dumps(plain)))
    expect(
        again == plugin and config.to_dict(again) == plain,
        "settings do not survive being stored: "
        f"{_differences(plain, config.to_dict(again)) or 'the objects are not equal'}. "
        "A field holds what it was given; what is computed from it is computed where it is used.",
    )


def _differences(before: dict[str, object], after: dict[str, object]) -> str:
    return ", ".join(
        f"{key} {before[key]!r} became {after.get(key)!r}" for key in before if before[key] != after.get(key)
    )


CHECKS = (imports, says_what_it_is, lists_without_frameworks, round_trips)
