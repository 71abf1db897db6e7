"""Run the conformance checks of a plugin, or of all plugins of a distribution."""

from collections.abc import Callable
from typing import Any

import click
from attrs import frozen

from armour_core import registry
from armour_core.cli import BELOW_THRESHOLD, DONE
from armour_core.cli._answer import Answer, answers, table
from armour_core.discovery import canonical
from armour_core.errors import UnknownPlugin
from armour_core.kinds import BUILTIN, Kind
from armour_core.specs import Spec


@frozen(kw_only=True)
class Outcome:
    """One check of one plugin."""

    plugin: str
    check: str
    passed: bool
    detail: str


@click.command()
@click.argument("target", metavar="DIST|KIND:NAME")
@click.option("--level", type=click.Choice(("quick", "full")), default="quick", show_default=True)
@click.option("--backend", "backends", multiple=True, metavar="B", help="Only on this backend; may be repeated.")
@answers
def command(target: str, level: str, backends: tuple[str, ...]) -> Answer:
    """Run the conformance checks of a plugin, or of all plugins of a distribution.

    The exit status is 1 when a check fails.
    """
    outcomes = [outcome for spec in chosen(target) for outcome in run(spec, level, backends)]
    outcomes += [
        Outcome(
            plugin=failure.origin,
            check=failure.stage,
            passed=False,
            detail=f"{type(failure.error).__name__}: {failure.error}",
        )
        for failure in registry.failures()
        if failure.origin == canonical(target)
    ]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    value = [{"plugin": one.plugin, "check": one.check, "passed": one.passed, "detail": one.detail} for one in outcomes]
    return Answer(value=value, show=lambda: _show(outcomes), code=BELOW_THRESHOLD if failed else DONE)


def chosen(target: str) -> list[Spec]:
    """The plugin of that id, or all of that distribution. Raises UnknownPlugin."""
    if ":" in target:
        return [registry.spec(target)]
    known = {distribution.name: distribution for distribution in registry.distributions()}
    if canonical(target) not in known:
        brings = ", ".join(known) or "none is installed"
        raise UnknownPlugin(f"{target!r} is neither KIND:NAME nor a distribution that brings plugins: {brings}.")
    return [spec for spec in registry.list_plugins() if spec.origin == canonical(target)]


def run(spec: Spec, level: str, backends: tuple[str, ...] = ()) -> list[Outcome]:
    """The checks of the plugin's kind: armour's for its own kinds, those of `Kind.checks` for all.

    backends: names; none stands for all that are installed.
    """
    kind = registry.kind(spec.kind)
    outcomes = [_own_check(spec, kind, check) for check in kind.load_checks()]
    if kind.name in BUILTIN:
        from armour_core.testing import run_checks

        results = run_checks(spec, level=level, backends=backends or None)
        outcomes += [Outcome(plugin=spec.id, check=r.name, passed=r.passed, detail=r.detail) for r in results]
    return outcomes


def _own_check(spec: Spec, kind: Kind, check: Callable[[Any], Any]) -> Outcome:
    name, detail = getattr(check, "__name__", repr(check)), ""
    try:
        check(spec)
    except Exception as error:  # a check may meet anything in a plugin: that is its outcome
        detail = f"{type(error).__name__}: {error}"
    return Outcome(plugin=spec.id, check=name, passed=not detail, detail=detail)


def _show(outcomes: list[Outcome]) -> None:
    rows = [(one.plugin, one.check, "passed" if one.passed else "FAILED", one.detail) for one in outcomes]
    if rows:
        table(("plugin", "check", "", ""), rows)
    failed = sum(not one.passed for one in outcomes)
    click.echo(f"{len(outcomes)} checks, {failed} failed.")
