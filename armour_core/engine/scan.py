"""The main job: a model, data, a threat; probes ask, a report answers."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from armour_core import registry
from armour_core.data import Dataset, check_labels
from armour_core.discovery import debugging, strict
from armour_core.engine.evaluate import Progress
from armour_core.engine.provenance import (
    about_data,
    about_model,
    command_line,
    environment,
    now,
    python_call,
    settings_of,
    tool,
)
from armour_core.engine.run import whole
from armour_core.errors import ArmourError, ConfigError, PluginLoadError
from armour_core.examination import ROWS
from armour_core.findings import SEVERITIES, Finding, failed
from armour_core.gates import Gate
from armour_core.opening import Opened, arrange, open_data, open_model
from armour_core.report import Report
from armour_core.store import prepare_folder
from armour_core.threat import Threat, plainly

log = logging.getLogger("armour")

FORMATS = ("report.json", "report.html")
"""What a scan writes into its folder."""


@frozen(kw_only=True)
class Context:
    """What a probe is told beside model and data."""

    threat: Threat
    seed: int = 0
    batch_size: int = 128
    progress: Progress | None = None
    reproduce: str = ""  #: the command or call that repeats the whole scan
    plugins: list[Mapping[str, Any]] = field(factory=list)  #: a probe appends what it ran: id, revision, config
    warnings: list[str] = field(factory=list)  #: a probe appends what a reader must know of the run


def scan(
    model: Any,
    data: Any,
    *,
    threat: Threat | str = "linf:8/255",
    probes: Sequence[Any] = ("robustness",),
    out: str | Path | None = None,
    seed: int = 0,
    batch_size: int = 128,
    samples: int | None = 1000,
    fail_on: Sequence[str] = (),
    bounds: tuple[float, float] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    num_classes: int | None = None,
    outputs: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    command: str | None = None,
) -> Report:
    """Probe a model for weaknesses and report what was found.

    model: a URI (`python:module:factory`), a network, or a wrapped model; data: a URI (`digits`, `npz:PATH`), `(x, y)`
    or a Dataset; threat: such as "linf:8/255"; probes: names or configured objects; out: a folder for report.json and
    report.html; samples: at most so many, drawn with `seed`, None for all; fail_on: conditions such as
    "robust_accuracy<0.4"; bounds, mean, std, num_classes, outputs, device: for a model that is not wrapped yet;
    progress(text, done, total): told of progress; command: what repeats this scan, where it is not this very call.

    A probe that fails becomes a finding with status "error", and the others go on. Raises ConfigError and DataError
    before any work for what cannot be scanned.
    """
    began = time.perf_counter()
    asked = Threat.of(threat)
    chosen = [_probe(probe) for probe in _listed("probes", probes)]
    gates = [Gate.parse(expression) for expression in _listed("fail_on", fail_on)]
    _check_gates(gates, [probe for _, probe in chosen])
    whole("seed", seed, None)
    whole("batch_size", batch_size, 1)
    most = None if samples is None else whole("samples", samples, 1)
    folder = None if out is None else prepare_folder(out)
    everything = open_data(data)
    given: dict[str, Any] = {
        "bounds": bounds, "mean": _numbers(mean), "std": _numbers(std), "num_classes": num_classes,
        "outputs": outputs, "device": device,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    opened = open_model(model, **_wrap_settings(given))
    drawn = arrange(everything.sample(most, seed), opened.model)
    warnings = [*opened.notes, *asked.remarks(opened.model.bounds), *_examined(opened, drawn, batch_size)]
    options = {"threat": asked.text, "seed": seed, "batch_size": batch_size, "samples": samples, **given}
    made_by = command or _command(opened, drawn, options, chosen, out)
    ctx = Context(
        threat=asked, seed=seed, batch_size=batch_size, progress=progress, reproduce=made_by, warnings=warnings
    )
    findings: list[Finding] = []
    for name, probe in chosen:
        findings += _run(name, probe, opened, drawn, ctx)
    report = Report(
        findings=tuple(findings),
        created=now(),
        seconds=time.perf_counter() - began,
        tool=tool(),
        model=about_model(opened.model, opened.uri),
        data=about_data(drawn, len(everything), seed),
        threat=plainly(asked),
        settings={**options, "probes": {name: settings_of(probe) for name, probe in chosen}},
        environment=environment(opened.model.backend.name),
        plugins=tuple(ctx.plugins),
        untested=tuple(sorted({s.name for s in registry.list_plugins("probe")} - {name for name, _ in chosen})),
        warnings=tuple(dict.fromkeys(ctx.warnings)),
        command=made_by,
    )
    return _judged(report, gates, folder)


def _judged(report: Report, gates: Sequence[Gate], folder: Path | None) -> Report:
    """Held against the gates and written; written even where a gate names what this run did not measure."""
    try:
        report = report.gated(gates) if gates else report
    finally:
        if folder is not None:
            report = _written(report, folder)
    return report


def _written(report: Report, folder: Path) -> Report:
    """Write every format; one whose library is missing is named in the report instead."""
    html = folder / FORMATS[1]
    try:
        registry.load("reporter", "html")
    except PluginLoadError as error:
        report = evolve(report, warnings=(*report.warnings, f"report.html was not written: {error}"))
        report.save(folder / FORMATS[0])
        return report
    report.save(folder / FORMATS[0])
    report.save(html)
    return report


def _probe(probe: Any) -> tuple[str, Any]:
    made = registry.resolve("probe", probe)
    spec = registry.spec_of(made)
    return (spec.id.partition(":")[2] if spec else type(made).__name__), made


def _listed(name: str, value: Any) -> list[Any]:
    values = [value] if isinstance(value, str) else list(value)
    if not values and name == "probes":
        names = ", ".join(sorted(spec.name for spec in registry.list_plugins("probe")))
        raise ConfigError(f"No probe was named. There is: {names or 'none installed'}.")
    return values


def _check_gates(gates: Sequence[Gate], probes: Sequence[Any]) -> None:
    """Refuse a misspelt metric before any work, where every probe says which it measures."""
    declared = [getattr(probe, "metrics", None) for probe in probes]
    if any(metrics is None for metrics in declared):
        return
    known = {name for metrics in declared for name in metrics or ()}
    known |= {f"findings.{severity}" for severity in (*SEVERITIES, "error")}
    for gate in gates:
        gate.check_metric(known)


def _wrap_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `wrap` takes, from what `scan` takes."""
    settings = dict(given)
    if ("mean" in settings) != ("std" in settings):
        raise ConfigError("mean and std go together: the network is given (x - mean) / std.")
    if "mean" in settings:
        settings["preprocessing"] = (settings.pop("mean"), settings.pop("std"))
    return settings


def _numbers(values: Sequence[float] | float | None) -> list[float] | None:
    return None if values is None else [float(value) for value in np.atleast_1d(np.asarray(values))]


def _examined(opened: Opened, data: Dataset, batch_size: int) -> tuple[str, ...]:
    """Data and labels at the door of the model, before any probe: what does not fit is said once, and at once."""
    model = opened.model
    x = model.admit(data.x)
    notes = model.examine(x[:batch_size] if model.local else x[:ROWS])
    check_labels(data.y, len(data), model.num_classes)
    return tuple(notes)


def _command(opened: Opened, data: Dataset, options: Mapping[str, Any], chosen: Sequence[Any], out: Any) -> str:
    if not (opened.uri and data.uri):
        return python_call({**options, "probes": [probe for _, probe in chosen]})
    flags = {name: _flag(value) for name, value in options.items()}
    changed = [f"{name}.{key}={json.dumps(value)}" for name, probe in chosen for key, value in _changed(probe).items()]
    return command_line(
        opened.uri, data.uri, {**flags, "probe": [name for name, _ in chosen], "set": changed, "out": out}
    )


def _flag(value: Any) -> str:
    """A setting as the command line writes it: bounds 0:1, a mean 0.5,0.4,0.5, no limit of samples."""
    if value is None:
        return "all"
    if isinstance(value, tuple):
        return ":".join(f"{end:g}" for end in value)
    return ",".join(f"{part:g}" for part in value) if isinstance(value, list) else str(value)


def _changed(probe: Any) -> dict[str, Any]:
    """Settings that are not the default."""
    try:
        default = settings_of(type(probe)())
    except TypeError:  # one that has no defaults
        default = {}
    return {key: value for key, value in settings_of(probe).items() if value != default.get(key)}


def _run(name: str, probe: Any, opened: Opened, data: Dataset, ctx: Context) -> list[Finding]:
    try:
        return list(probe.run(opened.model, data, ctx))
    except MemoryError:
        raise
    except Exception as error:  # a plugin may raise anything; it costs its own findings and no other's
        if strict():
            raise
        if not isinstance(error, ArmourError):
            told = "probe:%s raised %s: %s; the others go on"
            log.warning(told, name, type(error).__name__, error, exc_info=debugging())
        return [failed(f"probe:{name}", error, reproduce=ctx.reproduce)]
