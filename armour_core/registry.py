"""Plugins by name: list them, look one up, load its class, create a configuration.

The environment is searched once, when a plugin is first asked for. Listing imports neither a framework nor a plugin's
class; `load` and `create` import the one module that a Spec names.

A bare name ("pgd") means armour's own plugin where there is one, by name or alias, whatever else is installed; if not,
the one other distribution that offers it. "their-dist/pgd" names the distribution. `-` and `_` and case are the same.
"""

import fnmatch
import functools
import importlib
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from armour_core import discovery
from armour_core.discovery import Distribution, Failure, Found, canonical
from armour_core.errors import AmbiguousPlugin, ArmourError, ConfigError, PluginLoadError, UnknownPlugin
from armour_core.fields import NORMS, norm_name
from armour_core.kinds import Kind, kind_name
from armour_core.specs import Spec, normalise

log = logging.getLogger("armour")

_OWN = ("", discovery.OWN)  # "": registered in this process


class Registry:
    """What one search of the environment found, and what was registered since."""

    def __init__(self, found: Found):
        """found: what `discovery.discover` returned."""
        self._found = found
        self._failures = [failure.kept() for failure in found.failures]
        self._reported: set[tuple[str, str]] = set()
        self._objects: dict[tuple[str, str], Callable[..., Any]] = {}  # registered in this process
        self._specs: dict[str, list[Spec]] = {}
        for spec in found.specs:
            self._specs.setdefault(spec.kind, []).append(spec)

    # ---- asking

    def list_plugins(self, kind: str | None = None, match: str = "*", tags: Iterable[str] = ()) -> list[Spec]:
        """Specs, sorted by kind, name and origin.

        kind: only this one. match: a glob of name, id or an alias. tags: those a plugin must all have.
        Raises UnknownPlugin for a kind that does not exist.
        """
        wanted = {tags} if isinstance(tags, str) else set(tags)
        glob = normalise(match)

        def chosen(spec: Spec) -> bool:
            names = (spec.name, spec.id, *spec.aliases)
            return wanted <= spec.tags and any(fnmatch.fnmatchcase(normalise(name), glob) for name in names)

        specs = self._all() if kind is None else self._specs.get(self.kind(kind).name, [])
        return sorted(filter(chosen, specs), key=lambda spec: (spec.kind, spec.name, spec.origin))

    def spec(self, kind: str, name: str | None = None) -> Spec:
        """The Spec of a name, an alias or an id; `spec("attack:pgd")` and `spec("attack", "pgd")` are the same.

        Raises UnknownPlugin with the nearest names, or AmbiguousPlugin with the distributions that offer it.
        """
        kind, origin, asked = self._parse(kind, name)
        bare = normalise(asked)
        offers = self._specs.get(kind, [])
        if origin is not None:
            offers = [spec for spec in offers if spec.origin == origin or (origin in _OWN and spec.origin in _OWN)]
        exact = [spec for spec in offers if spec.name == bare]
        alias = [spec for spec in offers if spec.name != bare and bare in map(normalise, spec.aliases)]
        for own in (exact, alias):  # installing a package never changes what a name of armour's means
            if found := [spec for spec in own if spec.origin in _OWN]:
                return self._only(found, kind, bare)
        origins = {spec.origin for spec in (*exact, *alias)}
        found = exact if exact and len(origins) == 1 else [*exact, *alias]
        if not found:
            raise self._unknown(kind, origin, asked)
        return self._only(found, kind, bare)

    def kinds(self) -> dict[str, Kind]:
        """Every kind by name: armour's, and those that distributions add."""
        return dict(self._found.kinds)

    def kind(self, name: str) -> Kind:
        """One kind. Raises UnknownPlugin with the nearest names."""
        kinds = self._found.kinds
        if (spelled := kind_name(name)) in kinds:
            return kinds[spelled]
        near = get_close_matches(spelled, kinds, n=3)
        hint = f"Did you mean {_or(near)}? " if near else ""
        raise UnknownPlugin(f"There is no kind of plugin named {name!r}. {hint}Kinds: {', '.join(sorted(kinds))}.")

    def failures(self) -> list[Failure]:
        """What went wrong in plugins so far, in the order it happened."""
        return list(self._failures)

    def distributions(self) -> list[Distribution]:
        """Every distribution that names entry points, blocked and failed ones too."""
        return list(self._found.distributions)

    def spec_of(self, plugin: object) -> Spec | None:
        """The Spec that names this class, or the class of this object; None when none does. Imports nothing."""
        made_by = plugin if inspect.isclass(plugin) or inspect.isroutine(plugin) else type(plugin)
        for (kind, name), registered in self._objects.items():
            if registered is made_by:
                return self.spec(kind, name)
        known = (spec for spec in self._all() if _loaded_target(spec) is made_by)
        return min(known, key=lambda spec: (spec.origin not in _OWN, spec.id), default=None)

    # ---- making

    def load(self, kind: str, name: str | None = None) -> Any:
        """The class (or factory) that a Spec names. Raises PluginLoadError, saying what to install."""
        spec = self.spec(kind, name)
        if (spec.kind, spec.name) in self._objects and spec.origin == "":
            return self._objects[spec.kind, spec.name]
        module, _, path = spec.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except (Exception, SystemExit) as error:
            raise PluginLoadError(_why_not_loaded(spec, module, error)) from error
        for attribute in path.split("."):
            if not hasattr(found, attribute):
                near = get_close_matches(attribute, dir(found), n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise PluginLoadError(f"{spec.id} is registered as {spec.target}, but {module} has no {path}.{hint}")
            found = getattr(found, attribute)
        return found

    def create(self, kind: str, name: str, /, **config: Any) -> Any:
        """A configured plugin. Raises ConfigError for a key or a value that it does not accept."""
        spec = self.spec(kind, name)
        made_by = self.load(spec.kind, f"{spec.origin}/{spec.name}")
        check_config(spec, made_by, config)
        try:
            return made_by(**config)
        except (TypeError, ValueError) as error:
            if isinstance(error, ArmourError):
                raise
            raise ConfigError(f"{spec.id} does not accept {_call(config)}: {error}") from error

    def resolve(self, kind: str, plugin: Any, /, **config: Any) -> Any:
        """`plugin` itself when it is an object, or the plugin of that name, created with `config`."""
        if isinstance(plugin, str):
            return self.create(kind, plugin, **config)
        if inspect.isclass(plugin):
            raise ConfigError(
                f"{plugin.__name__} is a class: give a configured object, {plugin.__name__}(...), or a name."
            )
        if config:
            raise ConfigError(
                f"{_call(config)} is given beside a {type(plugin).__name__}, which has its configuration."
            )
        return plugin

    def register(
        self,
        obj: Callable[..., Any],
        *,
        kind: str,
        name: str,
        tags: Iterable[str] = (),
        summary: str | None = None,
        aliases: Iterable[str] = (),
        needs: Iterable[str] = (),
        reference: str | None = None,
        revision: int = 1,
    ) -> Spec:
        """Offer a class or factory under a name in this process: for notebooks, where there is no entry point.

        The module that registered a name may register it again. Raises ConfigError when the name is armour's own or
        another module's, and UnknownPlugin when the kind does not exist.
        """
        if not callable(obj):
            raise ConfigError(f"register({obj!r}): give a class, or a function that returns a configured {kind}.")
        kind = self.kind(kind).name
        doc = inspect.getdoc(obj) if summary is None else summary
        spec = Spec(
            kind=kind,
            name=normalise(name),
            target=f"{obj.__module__}:{_qualified(obj)}",
            summary=(doc or "").partition("\n")[0],
            aliases=tuple(aliases),
            tags=tags,
            needs=needs,
            reference=reference,
            revision=revision,
        )
        for other in self._specs.get(kind, []):
            taken = {other.name, *map(normalise, other.aliases)} & {spec.name, *map(normalise, spec.aliases)}
            if taken and other.origin == discovery.OWN:
                raise ConfigError(f"{kind}:{min(taken)} is armour's own {other.id}: choose another name.")
            if spec.name == other.name and other.origin == "" and _module(other) != _module(spec):
                raise ConfigError(f"{kind}:{spec.name} was registered by {_module(other)}: choose another name.")
        kept = [s for s in self._specs.get(kind, []) if not (s.origin == "" and s.name == spec.name)]
        self._specs[kind] = [*kept, spec]
        self._objects[kind, spec.name] = obj
        return spec

    # ---- hooks

    def first(self, hook: str, **arguments: Any) -> Any:
        """The first answer that is not None, plugins being asked one by one; None when there is none.

        An ArmourError is an answer, and is raised. Anything else that a plugin raises is recorded; the next is asked.
        """
        for origin, function in self._calls(hook, arguments):
            try:
                answer = function()
            except ArmourError:
                raise
            except Exception as error:
                if discovery.strict():
                    raise
                self._survive(origin, hook, error)
            else:
                if answer is not None:
                    return answer
        return None

    def observe(self, hook: str, **arguments: Any) -> None:
        """Tell every observer. One that raises is recorded, reported once, and never raised here."""
        for origin, function in self._calls(hook, arguments):
            try:
                function()
            except Exception as error:
                self._survive(origin, hook, error)

    def _calls(self, hook: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
        caller = getattr(self._found.manager.hook, hook)
        wanted = tuple(caller.spec.argnames)
        if set(wanted) != set(arguments):
            raise TypeError(f"{hook} takes {', '.join(wanted)}; it was called with {', '.join(arguments)}")
        for impl in reversed(caller.get_hookimpls()):
            given = (arguments[name] for name in impl.argnames)
            yield impl.plugin_name.partition(":")[0], functools.partial(impl.function, *given)

    def _survive(self, origin: str, hook: str, error: Exception) -> None:
        if (origin, hook) not in self._reported:
            self._reported.add((origin, hook))
            self._failures.append(Failure(origin, hook, error).kept())
            log.warning("%s: %s raised %s: %s; going on without it", origin, hook, type(error).__name__, error)

    # ---- names

    def _all(self) -> Iterator[Spec]:
        for specs in self._specs.values():
            yield from specs

    def _parse(self, kind: str, name: str | None) -> tuple[str, str | None, str]:
        """Kind, distribution or None, and name as written, from `("attack", "pgd")` or an id in either place."""
        if name is None:
            kind, colon, name = str(kind).partition(":")
            if not colon:
                raise UnknownPlugin(f"{kind!r} names no plugin: write KIND:NAME, as in 'attack:pgd'.")
        elif not isinstance(name, str):
            raise ConfigError(f"The name of a plugin is a string, not {name!r}.")
        elif ":" in name:
            named, _, rest = name.partition(":")
            if kind_name(named) != kind_name(kind):
                raise UnknownPlugin(f"{name!r} names a plugin of the kind {named!r}; here one of {kind!r} is wanted.")
            name = rest
        origin, slash, bare = name.rpartition("/")
        return self.kind(kind).name, canonical(origin) if slash else None, bare

    def _only(self, found: list[Spec], kind: str, name: str) -> Spec:
        if len(found) == 1:
            return found[0]
        offers = sorted(f"{spec.origin or 'this process'} ({spec.id})" for spec in found)
        raise AmbiguousPlugin(
            f"{kind}:{name} is offered by {' and by '.join(offers)}. Write the id of the one you mean."
        )

    def _unknown(self, kind: str, origin: str | None, name: str) -> UnknownPlugin:
        asked = f"{origin}/{name}" if origin else name
        spelled = {
            normalise(word): word
            for spec in self._specs.get(kind, [])
            for word in (*spec.aliases, spec.name if spec.origin in _OWN else f"{spec.origin}/{spec.name}", spec.name)
        }
        near = [spelled[word] for word in get_close_matches(normalise(asked), spelled, n=3)]
        message = [f"No {kind} is named {asked!r}."]
        if near:
            message.append(f"Did you mean {_or(near)}?")
        if elsewhere := sorted(spec.id for spec in self._all() if spec.name == normalise(name) and spec.kind != kind):
            message.append(f"There is {_or(elsewhere)}.")
        if not any(distribution.name == discovery.OWN for distribution in self._found.distributions):
            message.append("armour is not installed, so its own plugins are not found: pip install -e .")
        elif not near:
            message.append(f"`armour list {kind}` shows those that are installed.")
        if self._found.failures:
            message.append(f"{len(self._found.failures)} plugins failed to load: `armour plugins --failed` says why.")
        return UnknownPlugin(" ".join(message))


def check_config(spec: Spec, made_by: Callable[..., Any], config: Mapping[str, Any]) -> None:
    """Raise ConfigError when `made_by` takes no such key, or needs one that is not given; values it checks itself."""
    try:
        parameters = inspect.signature(made_by).parameters.values()
    except ValueError:  # a builtin without a signature: the call itself will tell
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    accepted = {parameter.name: parameter for parameter in parameters if parameter.kind in named}
    listed = f"It accepts: {', '.join(accepted)}." if accepted else "It accepts no setting."
    for key in config:
        if key not in accepted:
            near = get_close_matches(key, accepted, n=2)
            hint = f"Did you mean {_or(near)}? " if near else ""
            raise ConfigError(f"{spec.id} has no setting {key!r}. {hint}{listed}")
    norms = [norm for norm in NORMS if norm in spec.tags]
    if norms and "norm" in config and norm_name(config["norm"]) not in norms:
        raise ConfigError(f"{spec.id} does not implement norm={config['norm']!r}. It implements: {', '.join(norms)}.")
    missing = [key for key, parameter in accepted.items() if parameter.default is parameter.empty and key not in config]
    if missing:
        raise ConfigError(f"{spec.id} needs {', '.join(missing)}. {listed}")


def _why_not_loaded(spec: Spec, module: str, error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if isinstance(error, ImportError) and spec.extra:
        needs = f"{missing!r}, which is not installed" if missing else f"what cannot be imported ({error})"
        return f"{spec.id} needs {needs}: pip install '{spec.origin or discovery.OWN}[{spec.extra}]'"
    if missing and f"{module}.".startswith(f"{missing}."):
        return f"{spec.id} is registered as {spec.target}, but there is no module {missing!r}."
    if missing:
        return f"{spec.id} needs {missing!r}, which is not installed: pip install {missing.partition('.')[0]}"
    return f"{spec.id} cannot be loaded: importing {module} raised {type(error).__name__}: {error}"


def _loaded_target(spec: Spec) -> Any:
    """What the Spec names, if its module has been imported; else None."""
    module, _, path = spec.target.partition(":")
    found: Any = sys.modules.get(module)
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    return found


def _module(spec: Spec) -> str:
    return spec.target.partition(":")[0]


def _qualified(obj: Callable[..., Any]) -> str:
    return (
        str(getattr(obj, "__qualname__", type(obj).__name__)).replace("<locals>.", "").replace("<lambda>", "function")
    )


def _call(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in config.items()) or "being created without settings"


def _or(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


# ---- the registry of this process

_lock = threading.RLock()
_registry: Registry | None = None
_searching = False


def registry() -> Registry:
    """The registry of this process, filled on first use."""
    global _registry, _searching
    if _registry is None:
        with _lock:
            if _searching:
                raise ArmourError(
                    "A plugin asked for plugins while its entry module was being imported: ask inside a function, "
                    "when the registry is filled."
                )
            if _registry is None:
                _searching = True
                try:
                    _registry = Registry(discovery.discover())
                finally:
                    _searching = False
    return _registry


def refresh() -> None:
    """Forget what was found and registered; the next question searches again (after an install in a notebook)."""
    global _registry
    importlib.invalidate_caches()
    with _lock:
        _registry = None


def list_plugins(kind: str | None = None, match: str = "*", tags: Iterable[str] = ()) -> list[Spec]:
    """Specs of what is installed; see `Registry.list_plugins`."""
    return registry().list_plugins(kind, match, tags)


def spec(kind: str, name: str | None = None) -> Spec:
    """The Spec of a name, an alias or an id; see `Registry.spec`."""
    return registry().spec(kind, name)


def load(kind: str, name: str | None = None) -> Any:
    """The class that a name stands for; see `Registry.load`."""
    return registry().load(kind, name)


def create(kind: str, name: str, /, **config: Any) -> Any:
    """A configured plugin by name; see `Registry.create`."""
    return registry().create(kind, name, **config)


def resolve(kind: str, plugin: Any, /, **config: Any) -> Any:
    """An object as it is, or the plugin of that name; see `Registry.resolve`."""
    return registry().resolve(kind, plugin, **config)


def register(
    obj: Callable[..., Any],
    *,
    kind: str,
    name: str,
    tags: Iterable[str] = (),
    summary: str | None = None,
    aliases: Iterable[str] = (),
    needs: Iterable[str] = (),
    reference: str | None = None,
    revision: int = 1,
) -> Spec:
    """Offer a class under a name in this process; see `Registry.register`."""
    return registry().register(
        obj,
        kind=kind,
        name=name,
        tags=tags,
        summary=summary,
        aliases=aliases,
        needs=needs,
        reference=reference,
        revision=revision,
    )


def spec_of(plugin: object) -> Spec | None:
    """The Spec of a plugin object or class; see `Registry.spec_of`."""
    return registry().spec_of(plugin)


def kinds() -> dict[str, Kind]:
    """Every kind by name; see `Registry.kinds`."""
    return registry().kinds()


def kind(name: str) -> Kind:
    """One kind; see `Registry.kind`."""
    return registry().kind(name)


def failures() -> list[Failure]:
    """What went wrong in plugins so far; see `Registry.failures`."""
    return registry().failures()


def distributions() -> list[Distribution]:
    """The distributions that offer plugins; see `Registry.distributions`."""
    return registry().distributions()


def first(hook: str, **arguments: Any) -> Any:
    """The first answer to a hook; see `Registry.first`."""
    return registry().first(hook, **arguments)


def observe(hook: str, **arguments: Any) -> None:
    """Tell every observer; see `Registry.observe`."""
    registry().observe(hook, **arguments)
