"""Scan a model for weaknesses, and write a report to hand on."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import click

from armour_core import __version__, errors, registry
from armour_core.cli import BELOW_THRESHOLD, DEFECT, DONE, WRONG_INPUT
from armour_core.cli._answer import Answer, answers
from armour_core.cli._progress import reporting
from armour_core.errors import ArmourError, ConfigError
from armour_core.protocols.model import OUTPUTS
from armour_core.report import Report
from armour_core.wording import percent


@click.command()
@click.argument("model")
@click.option("--data", required=True, metavar="URI", help="digits, digits?split=test, or npz:PATH[?x=KEY&y=KEY].")
@click.option("--threat", default="linf:8/255", show_default=True, metavar="NORM:EPS", help="What an attacker may do.")
@click.option(
    "--probe", "probes", multiple=True, metavar="P", help="A probe to run; several may be named. [robustness]"
)
@click.option("--set", "-s", "changes", multiple=True, metavar="PROBE.KEY=VALUE", help="A setting of a probe.")
@click.option("--out", default="armour-report", show_default=True, metavar="DIR", help="Folder of the report.")
@click.option("--seed", default=0, show_default=True, metavar="S")
@click.option(
    "--samples", default="1000", show_default=True, metavar="N|all", help="At most so many, drawn with the seed."
)
@click.option("--batch-size", default=128, show_default=True, metavar="N")
@click.option("--bounds", metavar="LO:HI", help="Range of the model's input. [0:1]")
@click.option("--mean", metavar="M,..", help="The network is given (x - mean) / std: one number, or one per channel.")
@click.option("--std", metavar="S,..", help="See --mean.")
@click.option("--num-classes", type=int, metavar="N", help="Found on the data when not given.")
@click.option("--outputs", type=click.Choice(OUTPUTS), help="What the model returns. [logits]")
@click.option("--device", metavar="D", help="Where the model must be: cpu, cuda:0. [where it is]")
@click.option("--fail-on", multiple=True, metavar="EXPR", help="Exit with 1 if this holds: 'robust_accuracy<0.4'.")
@click.option("--quiet", is_flag=True, help="No progress, only the outcome.")
@answers
def command(
    model: str,
    data: str,
    threat: str,
    probes: tuple[str, ...],
    changes: tuple[str, ...],
    out: str,
    seed: int,
    samples: str,
    batch_size: int,
    bounds: str | None,
    mean: str | None,
    std: str | None,
    num_classes: int | None,
    outputs: str | None,
    device: str | None,
    fail_on: tuple[str, ...],
    quiet: bool,
) -> Answer:
    """Scan MODEL for weaknesses, and write a report to hand on.

    MODEL is python:MODULE:FACTORY, the module importable from here; the factory returns the network, or a model that is
    wrapped already, whose own settings hold.
    """
    from armour_core.engine.scan import scan

    asked = configured(probes or ("robustness",), changes)
    with _in_options(), reporting(quiet) as progress:
        progress.line(f"armour {__version__}: scanning {model} on {data}, {threat}")
        report = scan(
            model,
            data,
            threat=threat,
            probes=asked,
            out=out,
            seed=seed,
            batch_size=batch_size,
            samples=None if samples == "all" else _whole("--samples", samples),
            fail_on=fail_on,
            bounds=_bounds(bounds),
            mean=_numbers("--mean", mean),
            std=_numbers("--std", std),
            num_classes=num_classes,
            outputs=outputs,
            device=device,
            progress=progress.batch,
        )
        progress.remarks(report.warnings)
    return Answer(value=report.to_dict(), show=shown(report, out), code=status(report))


@contextlib.contextmanager
def _in_options() -> Iterator[None]:
    """Errors that advise on the arguments of `wrap` say as well which options set them here."""
    try:
        yield
    except ArmourError as error:
        advice = str(error).partition("wrap(net, ")[2]
        options = {"bounds=": "--bounds LO:HI", "preprocessing=": "--mean and --std", "outputs=": "--outputs"}
        meant = [option for argument, option in options.items() if argument in advice]
        if meant:
            error.args = (f"{error}\n  On the command line: {', '.join(meant)}.", *error.args[1:])
        raise


def configured(names: tuple[str, ...], changes: tuple[str, ...]) -> list[Any]:
    """Probes with their settings. Raises ConfigError for a setting that names no probe of these."""
    settings: dict[str, dict[str, Any]] = {name: {} for name in names if registry.spec("probe", name)}
    for change in changes:
        path, equals, value = change.partition("=")
        name, dot, key = path.strip().partition(".")
        if not (equals and dot and key) or name not in settings:
            raise ConfigError(
                f"--set {change!r}: write PROBE.KEY=VALUE, the probe one of {', '.join(settings)}: "
                f"{next(iter(settings))}.pictures=0."
            )
        settings[name][key] = _value(value)
    return [registry.create("probe", name, **config) for name, config in settings.items()]


def status(report: Report) -> int:
    """1 where a threshold is not met; 2 or 3 where a probe broke off, by whose fault it was; else 0."""
    if any(gate.failed for gate in report.gates):
        return BELOW_THRESHOLD
    finished = {finding.probe for finding in report.findings if finding.status != "error"}
    codes = [DONE]
    for finding in report.findings:
        if finding.status == "error" and finding.probe.count(":") == 1 and finding.probe not in finished:
            kind = getattr(errors, finding.tags[0].partition(":")[2], None) if finding.tags else None
            codes.append(WRONG_INPUT if isinstance(kind, type) and issubclass(kind, ArmourError) else DEFECT)
    return max(codes)


def shown(report: Report, out: str) -> Callable[[], None]:
    """Prints the outcome: the verdict, its numbers, the gates, where the report is."""

    def show() -> None:
        for finding in report.ranked:
            name = "Error" if finding.status == "error" else finding.severity.capitalize()
            click.echo(f"{name}: {finding.title}")
            if finding.status == "error":
                click.echo(f"  {finding.summary}")
            for measure in finding.measures:
                of = f" of {measure.n} {measure.denominator}" if measure.n is not None else ""
                click.echo(f"  {measure.metric}: {percent(measure)}{of}")
        for gate in report.gates:
            value = "was not measured" if gate.value is None else f"is {gate.value:.4g}"
            click.echo(f"{'FAILS' if gate.failed else 'holds'}: {gate.metric} {value}; --fail-on {gate.expression}")
        click.echo(f"Report: {report_path(out)}")

    return show


def report_path(out: str) -> str:
    """The page for people, or the JSON where no page could be written."""
    from pathlib import Path

    page = Path(out) / "report.html"
    return str(page if page.exists() else page.with_name("report.json"))


def _value(text: str) -> Any:
    """JSON where it is that, else the text itself: 3, true, [1, 2], linf."""
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


def _whole(option: str, text: str) -> int:
    if not text.strip().isdigit() or int(text) < 1:
        raise ConfigError(f"{option} {text!r}: give a whole number of at least 1, or all.")
    return int(text)


def _bounds(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return float(low), float(high)
    except ValueError:
        raise ConfigError(f"--bounds {text!r}: write LO:HI, as in 0:1 or -1:1.") from None


def _numbers(option: str, text: str | None) -> list[float] | None:
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{option} {text!r}: write numbers between commas, as in 0.485,0.456,0.406.") from None
