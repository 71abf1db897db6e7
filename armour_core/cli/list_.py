"""List the plugins that are installed."""

from typing import Any

import click

from armour_core import registry
from armour_core.cli._answer import Answer, answers, table
from armour_core.specs import Spec

OF_THE_MODEL = frozenset({"scores", "labels"})
"""Needs that a model meets or not, whatever its backend."""


@click.command("list")
@click.argument("kind", required=False)
@click.option("--match", default="*", metavar="GLOB", help="Only names, ids or aliases that match, as in '*pgd*'.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only plugins with this tag; may be repeated.")
@click.option("--backend", metavar="B", help="Only plugins whose needs this backend meets.")
@answers
def command(kind: str | None, match: str, tags: tuple[str, ...], backend: str | None) -> Answer:
    """List the plugins that are installed, of one KIND or of all. No framework is imported."""
    specs = registry.list_plugins(kind, match, tags)
    if backend is not None:
        offered = registry.spec("backend", backend).tags | OF_THE_MODEL
        specs = [spec for spec in specs if spec.needs <= offered]
    return Answer(value=[as_dict(spec) for spec in specs], show=lambda: _show(specs))


def as_dict(spec: Spec) -> dict[str, Any]:
    """A Spec as plain values."""
    return {
        "id": spec.id,
        "kind": spec.kind,
        "name": spec.name,
        "summary": spec.summary,
        "tags": sorted(spec.tags),
        "needs": sorted(spec.needs),
        "aliases": list(spec.aliases),
        "reference": spec.reference,
        "revision": spec.revision,
        "origin": spec.origin,
        "target": spec.target,
        "extra": spec.extra,
    }


def _show(specs: list[Spec]) -> None:
    if specs:
        table(
            ("id", "summary", "tags", "needs"),
            [(spec.id, spec.summary, " ".join(sorted(spec.tags)), " ".join(sorted(spec.needs))) for spec in specs],
        )
    else:
        click.echo("Nothing that is installed matches.", err=True)
    if failures := registry.failures():
        click.echo(f"{len(failures)} plugins failed to load: armour plugins --failed", err=True)
