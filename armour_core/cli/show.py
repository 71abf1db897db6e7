"""Show one plugin: what it does, its settings, where it comes from, how to call it."""

import inspect
from typing import Any

import click

from armour_core import registry
from armour_core.cli._answer import Answer, answers, facts, table
from armour_core.cli.list_ import as_dict
from armour_core.errors import AmbiguousPlugin, PluginLoadError
from armour_core.parameters import REQUIRED, Parameter, parameters
from armour_core.specs import Spec, normalise


@click.command()
@click.argument("plugin", metavar="KIND:NAME")
@answers
def command(plugin: str) -> Answer:
    """Show one plugin: what it does, its settings, where it comes from, how to call it.

    Only this plugin is imported, with what it needs. KIND may be left out where the name has one kind only.
    """
    spec = named(plugin)
    unavailable, doc = "", ""
    settings: tuple[Parameter, ...] = ()
    try:
        made_by = registry.load(spec.id)
        doc, settings = inspect.getdoc(made_by) or "", parameters(made_by)
    except PluginLoadError as error:
        unavailable = str(error)
    value = as_dict(spec) | {
        "version": _version(spec),
        "doc": doc,
        "parameters": [_as_dict(setting) for setting in settings],
        "example": example(spec),
        "unavailable": unavailable or None,
    }
    return Answer(value=value, show=lambda: _show(spec, doc, settings, unavailable))


def named(plugin: str) -> Spec:
    """The Spec of `KIND:NAME`, or of a NAME that only one kind has. Raises UnknownPlugin, AmbiguousPlugin."""
    if ":" in plugin:
        return registry.spec(plugin)
    asked = normalise(plugin.rpartition("/")[2])
    kinds = {spec.kind for spec in registry.list_plugins() if asked in map(normalise, (spec.name, *spec.aliases))}
    if len(kinds) > 1:
        raise AmbiguousPlugin(f"{plugin!r} names {' and '.join(f'{kind}:{plugin}' for kind in sorted(kinds))}.")
    return registry.spec(kinds.pop(), plugin) if kinds else registry.spec("attack", plugin)


def example(spec: Spec) -> str:
    """Python that uses the plugin."""
    name = spec.id.partition(":")[2]
    if spec.kind == "attack":
        return f'armour.run_attack("{name}", model, x, y, eps=8 / 255)'
    make = f'armour.create("{spec.kind}", "{name}")'
    calls = {
        "defense": ".protect(model)",
        "detector": ".fit(model, x, y).score(x)",
        "ood": ".fit(model, x, y).score(x)",
        "explainer": ".attribute(model, x, target)",
        "reporter": ".render(report)",
        "metric": ".compute(result)",
    }
    return make + calls.get(spec.kind, "")


def _version(spec: Spec) -> str | None:
    return next((one.version for one in registry.distributions() if one.name == spec.origin), None)


def _as_dict(setting: Parameter) -> dict[str, Any]:
    plain = setting.default is None or isinstance(setting.default, str | bool | int | float)
    return {
        "name": setting.name,
        "required": setting.default is REQUIRED,
        "default": setting.default if plain else None if setting.default is REQUIRED else repr(setting.default),
        "type": setting.type,
        "accepts": setting.accepts,
        "doc": setting.doc,
    }


def _show(spec: Spec, doc: str, settings: tuple[Parameter, ...], unavailable: str) -> None:
    click.echo(f"{spec.id}: {spec.summary}\n")
    if doc:
        click.echo(doc + "\n")
    facts(
        (
            ("also called", ", ".join(spec.aliases)),
            ("tags", ", ".join(sorted(spec.tags))),
            ("needs", ", ".join(sorted(spec.needs))),
            ("reference", spec.reference or ""),
            ("revision", str(spec.revision)),
            ("from", f"{spec.origin} {_version(spec) or ''}".strip()),
            ("class", spec.target),
            ("call", example(spec)),
            ("unavailable", unavailable),
        )
    )
    if settings:
        click.echo()
        rows = [
            (s.name, "required" if s.default is REQUIRED else repr(s.default), s.doc, s.accepts or s.type)
            for s in settings
        ]
        table(("setting", "default", "meaning", "accepts"), rows)
    elif not unavailable:
        click.echo("\nIt has no settings.")
