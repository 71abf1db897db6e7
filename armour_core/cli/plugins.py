"""List the distributions that bring plugins, and what went wrong in them."""

from typing import Any

import attrs
import click

from armour_core import registry
from armour_core.cli._answer import Answer, answers, table
from armour_core.discovery import Distribution, Failure


@click.command()
@click.option("--failed", is_flag=True, help="Only what went wrong, and why.")
@answers
def command(failed: bool) -> Answer:
    """List the distributions that bring plugins, and what went wrong in them.

    ARMOUR_ALLOW and ARMOUR_BLOCK (comma-separated globs of distribution names) choose among them before anything of
    them is imported. ARMOUR_STRICT=1 makes the first failure an error.
    """
    failures = registry.failures()
    if failed:
        return Answer(value=[_failure(failure) for failure in failures], show=lambda: _show_failures(failures))
    found = registry.distributions()
    value = [
        attrs.asdict(one) | {"failures": [_failure(failure) for failure in failures if failure.origin == one.name]}
        for one in found
    ]
    return Answer(value=value, show=lambda: _show(found, failures))


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "origin": failure.origin,
        "stage": failure.stage,
        "error": type(failure.error).__name__,
        "message": str(failure.error),
    }


def _show(found: list[Distribution], failures: list[Failure]) -> None:
    if not found:
        click.echo("No installed distribution brings plugins, armour itself included: pip install -e .", err=True)
        return
    rows = [
        (one.name, one.version, one.status, str(one.specs), ", ".join(one.kinds), ", ".join(one.hooks)) for one in found
    ]
    table(("distribution", "version", "status", "plugins", "new kinds", "hooks"), rows)
    if failures:
        click.echo(f"\n{len(failures)} failures: armour plugins --failed", err=True)


def _show_failures(failures: list[Failure]) -> None:
    if not failures:
        click.echo("Nothing failed.")
    for failure in failures:
        click.echo(str(failure))
