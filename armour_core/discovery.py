"""Finds what installed distributions offer. One that is broken is recorded, and costs only itself.

pluggy's own entry-point loader and a bare `hook.armour_specs()` both stop at the first broken plugin. So each
distribution is first staged in a manager of its own (load, register, check, collect), and what it offers is committed
as a whole or not at all. Two things cost less than the whole distribution: an entry point whose module does not exist
or implements no hook offers nothing, and a Spec for another plugin interface, or of a kind that nobody defines, is
left out alone.
"""

import fnmatch
import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any, Protocol

import attrs
import importlib_metadata
import pluggy

from armour_core import hooks
from armour_core.errors import ArmourError, ConfigError, IncompatiblePlugin, PluginLoadError, UnknownPlugin
from armour_core.kinds import BUILTIN, Kind
from armour_core.specs import API_VERSION, Spec

OWN = "armour"
"""The distribution whose plugins own their bare names."""


class EntryPoint(Protocol):
    """What is used of an entry point."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> str: ...  # noqa: D102
    @property
    def module(self) -> str: ...  # noqa: D102
    def load(self) -> Any: ...  # noqa: D102


@attrs.frozen(eq=False)
class Failure:
    """One thing that went wrong in a plugin, and was survived."""

    origin: str  #: distribution name
    stage: str  #: "metadata", "load", "register", "check", "kinds", "specs", or the hook that was called
    error: BaseException

    def __str__(self) -> str:
        return f"{self.origin} ({self.stage}): {type(self.error).__name__}: {self.error}"

    def kept(self) -> "Failure":
        """This, without the frames in which it happened: they hold on to the network and data that were at hand."""
        error: BaseException | None = self.error
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__
        return self


@attrs.frozen
class Distribution:
    """One distribution that names entry points in the group `armour.plugins`."""

    name: str  #: canonical: lower case, hyphens
    version: str
    entry_points: tuple[str, ...]  #: "name = module"
    status: str  #: "loaded", "blocked", "failed"
    specs: int = 0  #: how many plugins it offers
    kinds: tuple[str, ...] = ()  #: the kinds it adds
    hooks: tuple[str, ...] = ()  #: the hooks it implements


@attrs.frozen(eq=False)
class Found:
    """What discovery brought home."""

    manager: pluggy.PluginManager  #: the plugins of every loaded distribution, named "distribution:entry point"
    specs: tuple[Spec, ...]
    kinds: Mapping[str, Kind]
    distributions: tuple[Distribution, ...]
    failures: tuple[Failure, ...]


@attrs.define(eq=False)
class _Staged:
    """One distribution between loading and commitment."""

    manager: pluggy.PluginManager = attrs.field(factory=lambda: new_manager())
    kinds: list[Kind] = attrs.Factory(list)
    specs: list[Spec] = attrs.Factory(list)
    failures: list[Failure] = attrs.Factory(list)
    stage: str = "load"


def new_manager() -> pluggy.PluginManager:
    """An empty plugin manager that knows armour's hooks."""
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return manager


def canonical(name: str) -> str:
    """Spell a distribution's name as package indexes compare it: "Their_Dist" is "their-dist"."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def strict(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ARMOUR_STRICT asks that a broken plugin raises."""
    return _asked("ARMOUR_STRICT", environ)


def debugging(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ARMOUR_DEBUG asks for tracebacks."""
    return _asked("ARMOUR_DEBUG", environ)


def _asked(variable: str, environ: Mapping[str, str]) -> bool:
    return environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def discover(environ: Mapping[str, str] = os.environ) -> Found:
    """Search the environment. Raises only where ARMOUR_STRICT asks for it."""
    manager, kinds = new_manager(), dict(BUILTIN)
    staged: dict[str, _Staged] = {}
    distributions: list[Distribution] = []
    found, failures = installed()
    if failures and strict(environ):
        raise failures[0].error
    for one in found:
        name = one.name
        described = Distribution(
            name, one.version, tuple(f"{entry.name} = {entry.value}" for entry in one.entry_points), "blocked"
        )
        if allowed(name, environ):
            stage = _Staged()
            try:
                _fill(stage, name, one.entry_points)
                stage.stage = "register"
                _commit(stage, name, manager, kinds)
                described = attrs.evolve(described, status="loaded", hooks=_hooks(stage.manager))
                staged[name] = stage
            except (Exception, SystemExit) as error:
                stage.failures.append(Failure(name, stage.stage, error))
                described = attrs.evolve(described, status="failed")
            failures += stage.failures
            if stage.failures and strict(environ):
                raise stage.failures[0].error
        distributions.append(described)

    # Only now are all kinds known: a Spec may be of a kind that a distribution later in the alphabet brings.
    offered: list[Spec] = []
    for at, described in enumerate(distributions):
        if described.name in staged:
            known, unknown = _of_known_kinds(staged[described.name].specs, kinds)
            if unknown and strict(environ):
                raise unknown[0].error
            offered += known
            failures += unknown
            added = tuple(kind.name for kind in staged[described.name].kinds)
            distributions[at] = attrs.evolve(described, specs=len(known), kinds=added)
    return Found(manager, tuple(offered), kinds, tuple(distributions), tuple(failures))


@attrs.frozen(eq=False)
class Installed:
    """What an installer has written down of one distribution; nothing of it has been imported."""

    name: str
    version: str
    entry_points: tuple[EntryPoint, ...]


def installed() -> tuple[list[Installed], list[Failure]]:
    """Each distribution with entry points in the group: armour first, then by name. Damaged metadata is a Failure."""
    failures: list[Failure] = []
    try:
        entries = list(importlib_metadata.entry_points(group=hooks.GROUP))
    except Exception:  # one file that cannot be parsed spoils the answer for all: ask one by one
        entries = _entries_one_by_one(failures)
    found: dict[str, tuple[str, list[EntryPoint]]] = {}
    for entry in entries:
        try:
            name, version = canonical(entry.dist.name), entry.dist.version
        except Exception as error:
            failures.append(Failure(f"entry point {entry.name!r}", "metadata", error))
        else:
            found.setdefault(name, (version, []))[1].append(entry)
    return [
        Installed(name, version, tuple(sorted(entries, key=lambda entry: entry.name)))
        for name, (version, entries) in sorted(found.items(), key=lambda item: (item[0] != OWN, item[0]))
    ], failures


def _entries_one_by_one(failures: list[Failure]) -> list[Any]:
    """As `importlib_metadata.entry_points` does it (the first of a name on the path counts), one failing alone."""
    entries: list[Any] = []
    seen = set()
    for distribution in importlib_metadata.distributions():
        text = distribution.read_text("entry_points.txt") or ""
        if hooks.GROUP in text:
            origin = str(getattr(distribution, "_path", "a distribution without a name"))
            try:
                origin = canonical(distribution.name)
                if origin not in seen:
                    seen.add(origin)
                    entries += distribution.entry_points.select(group=hooks.GROUP)
            except Exception as error:
                failures.append(Failure(origin, "metadata", error))
    return entries


def allowed(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ARMOUR_ALLOW and ARMOUR_BLOCK (comma-separated globs of distribution names) let this one in.

    ARMOUR_BLOCK wins. ARMOUR_ALLOW says which others may join armour's own plugins; unset or empty, all may.
    """

    def listed(variable: str) -> list[str]:
        return [canonical(glob) for glob in environ.get(variable, "").split(",") if glob.strip()]

    def matches(globs: Iterable[str]) -> bool:
        return any(fnmatch.fnmatchcase(name, glob) for glob in globs)

    allow = listed("ARMOUR_ALLOW")
    return not matches(listed("ARMOUR_BLOCK")) and (not allow or name == OWN or matches(allow))


def _fill(stage: _Staged, origin: str, entries: Iterable[EntryPoint]) -> None:
    """Load, register, check and collect; whatever raises in here costs the distribution all it offers."""
    for entry in entries:
        stage.stage = "load"
        plugin = _load(stage, origin, entry)
        if plugin is None or stage.manager.is_registered(plugin):
            continue
        stage.stage = "register"
        stage.manager.register(plugin, f"{origin}:{entry.name}")
        stage.stage = "check"
        callers = stage.manager.get_hookcallers(plugin) or []
        if callers:
            _check(stage.manager, callers, entry)
        else:
            stage.manager.unregister(plugin)
            hint = "mark a function `armour_specs` with @armour_core.hookimpl."
            error = IncompatiblePlugin(f"{entry.value}, of entry point {entry.name!r}, implements no hook: {hint}")
            stage.failures.append(Failure(origin, "check", error))
    stage.stage = "kinds"
    for kind in _answers(stage.manager, "armour_kinds", Kind):
        if kind.name in BUILTIN or any(kind.name == other.name for other in stage.kinds):
            raise ConfigError(f"{origin} defines the kind {kind.name!r}, which exists: give yours another name.")
        stage.kinds.append(attrs.evolve(kind, origin=origin))
    stage.stage = "specs"
    for spec in _answers(stage.manager, "armour_specs", Spec):
        if any((spec.kind, spec.name) == (other.kind, other.name) for other in stage.specs):
            raise ConfigError(f"{origin} offers {spec.kind}:{spec.name} twice: names are unique within a distribution.")
        if spec.api == API_VERSION:
            stage.specs.append(attrs.evolve(spec, origin=origin))
        else:
            stage.failures.append(Failure(origin, "specs", _wrong_api(spec, origin)))


def _load(stage: _Staged, origin: str, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except ModuleNotFoundError as error:
        if error.name is None or not f"{entry.module}.".startswith(f"{error.name}."):
            raise  # the module is there; something that it imports is not
        missing = PluginLoadError(
            f"entry point {entry.name!r} names the module {entry.module!r}, which does not exist."
        )
        missing.__cause__ = error
        stage.failures.append(Failure(origin, "load", missing))
        return None


def _check(manager: pluggy.PluginManager, callers: list[pluggy.HookCaller], entry: EntryPoint) -> None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        known = [name for name, caller in vars(manager.hook).items() if caller.has_spec()]
        near = chain.from_iterable(get_close_matches(c.name, known, n=1) for c in callers if not c.has_spec())
        hint = "".join(f" Did you mean {name}?" for name in near)
        unknown = ", ".join(caller.name for caller in callers if not caller.has_spec())
        raise IncompatiblePlugin(f"{entry.value} implements {unknown}, which is no hook of armour.{hint}") from error
    for caller in callers:
        for impl in caller.get_hookimpls():
            if impl.hookwrapper or getattr(impl, "wrapper", False):
                raise IncompatiblePlugin(
                    f"{entry.value}: {caller.name} is a hook wrapper; armour calls hooks one by one."
                )


def _answers(manager: pluggy.PluginManager, hook: str, kind: type) -> Iterable[Any]:
    for impl in reversed(getattr(manager.hook, hook).get_hookimpls()):
        answer = impl.function()
        if answer is None:
            continue
        if isinstance(answer, str | Mapping) or not isinstance(answer, Iterable):
            raise ConfigError(f"{hook} of {impl.plugin_name} returned {answer!r}: return a list of {kind.__name__}.")
        for item in answer:
            if not isinstance(item, kind):
                raise ConfigError(
                    f"{hook} of {impl.plugin_name} returned {item!r} in its list: each is a {kind.__name__}."
                )
            yield item


def _commit(stage: _Staged, origin: str, manager: pluggy.PluginManager, kinds: dict[str, Kind]) -> None:
    for plugin in stage.manager.get_plugins():
        if manager.is_registered(plugin):
            raise ConfigError(
                f"{origin} names the plugin module {getattr(plugin, '__name__', plugin)!r}, "
                f"which is that of {manager.get_name(plugin)}: two distributions cannot share one."
            )
    for kind in stage.kinds:
        if kind.name in kinds:
            raise ConfigError(f"{origin} defines the kind {kind.name!r}, which {kinds[kind.name].origin} has defined.")
    kinds.update((kind.name, kind) for kind in stage.kinds)
    for name, plugin in stage.manager.list_name_plugin():
        manager.register(plugin, name)


def _of_known_kinds(specs: Iterable[Spec], kinds: Mapping[str, Kind]) -> tuple[list[Spec], list[Failure]]:
    known, unknown = [], []
    for spec in specs:
        if spec.kind in kinds:
            known.append(spec)
        else:
            near = "".join(f" Did you mean {kind}?" for kind in get_close_matches(spec.kind, kinds, n=1))
            error: ArmourError = UnknownPlugin(
                f"{spec.name!r} is of the kind {spec.kind!r}, which no installed distribution defines.{near}"
            )
            unknown.append(Failure(spec.origin, "specs", error))
    return known, unknown


def _wrong_api(spec: Spec, origin: str) -> ArmourError:
    advice = f"update {origin}" if isinstance(spec.api, int) and spec.api < API_VERSION else "update armour"
    return IncompatiblePlugin(
        f"{spec.kind}:{spec.name} is for plugin interface {spec.api!r}; this armour has {API_VERSION}: {advice}."
    )


def _hooks(manager: pluggy.PluginManager) -> tuple[str, ...]:
    return tuple(sorted(name for name, caller in vars(manager.hook).items() if caller.get_hookimpls()))
