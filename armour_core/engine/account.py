"""An evaluation told to a person: findings, curve, table, severity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from armour_core.engine.provenance import environment, now, plugin_entries, tool
from armour_core.evidence import Curve, Evidence, Sample, Series, Table
from armour_core.findings import FAILURE_RATE, Finding, Measure, Remedy, failed
from armour_core.report import Report
from armour_core.threat import Threat, plainly
from armour_core.wording import briefly, listed, percent, plural, share

if TYPE_CHECKING:
    from armour_core.engine.evaluate import Evaluation, Unit

TAGS = ("nist:evasion / integrity", "atlas:AML.T0043", "atlas:AML.T0015", "owasp:ML01")
"""What an evasion finding is in NIST AI 100-2, MITRE ATLAS and the OWASP Machine Learning Security Top Ten."""

_SEES = {"white-box": "gradients", "score-based": "scores", "decision-based": "labels"}


def report_of(evaluation: Evaluation) -> Report:
    """The evaluation as a Report of its own."""
    findings = [worst_case(evaluation), clean(evaluation), *failures(evaluation)]
    return Report(
        findings=tuple(findings),
        created=now(),
        seconds=evaluation.seconds,
        tool=tool(),
        model=evaluation.context.get("model", {}),
        data=evaluation.context.get("data", {}),
        threat={} if evaluation.eps is None else plainly(_threat(evaluation)),
        settings={"seed": evaluation.seed, "batch_size": evaluation.batch_size, "norm": evaluation.norm},
        environment=environment(str(evaluation.context.get("model", {}).get("backend", ""))),
        plugins=plugin_entries(evaluation.units),
        warnings=warnings_of(evaluation),
    )


def worst_case(
    evaluation: Evaluation,
    threat: Threat | None = None,
    *,
    probe: str = "evaluate",
    why: str = "",
    samples: Sequence[Sample] = (),
    samples_note: str = "",
    remedies: Sequence[Remedy] = (),
    reproduce: str = "",
    notes: Sequence[str] = (),
) -> Finding:
    """What all attacks together did, at the largest eps."""
    threat = threat or (None if evaluation.eps is None else _threat(evaluation))
    at = 0 if evaluation.eps is None else int(np.argmax(evaluation.eps))
    robust, flipped = evaluation.robust_measure(at), evaluation.flipped_measure(at)
    k, right = round(flipped.value * (flipped.n or 0)), flipped.n or 0
    severity, because = FAILURE_RATE.judge(severity_facts(evaluation, at))
    still = round(robust.value * evaluation.n)
    within = f"within {_where(evaluation, threat)}"
    return Finding(
        id="SEC-EVA-001",
        title=_title(k, right, threat),
        probe=probe,
        severity=severity,
        status="confirmed" if k else "not_found",
        scope=_where(evaluation, threat),
        summary=(
            f"Under the worst of {plural(len(evaluation.results), 'attack')} {within}, {still} of {evaluation.n} "
            f"predictions are still right: {percent(robust)}. Before any attack it was "
            f"{percent(evaluation.clean_measure())}."
        ),
        tried=tried(evaluation, threat),
        why=why,
        measures=(robust, flipped, evaluation.clean_measure(), *_each(evaluation, at)),
        rule=FAILURE_RATE.text,
        because=because,
        evidence=Evidence(
            curves=(curve(evaluation, threat),),
            samples=tuple(samples),
            samples_note=samples_note,
            tables=(attack_table(evaluation, at),),
            notes=(*masking(evaluation, at), *notes),
        ),
        reproduce=reproduce,
        remedies=tuple(remedies),
        tags=TAGS,
        cost=cost(evaluation),
    )


def clean(evaluation: Evaluation, *, probe: str = "evaluate", note: str = "", reproduce: str = "") -> Finding:
    """What the other numbers start from."""
    measure = evaluation.clean_measure()
    right = round(measure.value * evaluation.n)
    return Finding(
        id="REL-ACC-001",
        title=f"Unchanged, {share(right, evaluation.n)}{'' if right else ' of the'} inputs are classified correctly",
        probe=probe,
        severity="info",
        summary=f"{right} of {evaluation.n} samples: {percent(measure)}. {note}".strip(),
        measures=(measure,),
        reproduce=reproduce,
    )


def failures(evaluation: Evaluation, *, probe: str = "") -> list[Finding]:
    """One entry for each attack that did not finish."""
    return [
        failed(f"{probe}:{unit.label}" if probe else unit.id, unit.error, what="attack")
        for unit in evaluation.units
        if unit.error is not None
    ]


def severity_facts(evaluation: Evaluation, at: int) -> dict[str, Measure]:
    """What the severity rule looks at: flipped at the declared eps, at half of it, and without the weights."""
    facts = {"declared": evaluation.flipped_measure(at)}
    open_ = {u.label: u.result for u in evaluation.units if u.result is not None and "black-box" in u.tags}
    if open_:
        facts["black_box"] = evaluation.flipped_measure(at, evaluation.worst(open_))
    if evaluation.eps is not None:
        halves = [k for k, eps in enumerate(evaluation.eps) if eps <= evaluation.eps[at] / 2]
        if halves:
            facts["smaller_budget"] = evaluation.flipped_measure(max(halves, key=lambda k: (evaluation.eps or ())[k]))
    return facts


def tried(evaluation: Evaluation, threat: Threat | None) -> str:
    """The attacks and what each of them sees, in a sentence or two."""
    each = [_introduced(unit) for unit in evaluation.units if unit.result is not None]
    right = plural(int((~evaluation.initially_wrong).sum()), "sample")
    first = f"{listed(each)}, on the {right} that the model gets right"
    if evaluation.eps is not None and threat is not None:
        smallest, largest = threat.name(min(evaluation.eps)), threat.name(max(evaluation.eps))
        many = len(evaluation.eps) > 1
        first += f", at {len(evaluation.eps)} sizes from {smallest} to {largest}" if many else f", at eps {largest}"
        first += f": {threat.words}"
    lost = ""
    if evaluation.failures:
        lost = f" Not counted, for it did not finish: {listed(list(evaluation.failures))}."
    return f"{first}. A sample counts as flipped as soon as one attack flipped it.{lost}"


def curve(evaluation: Evaluation, threat: Threat | None) -> Curve:
    """Accuracy over eps, of the worst case and of each attack, from 0 on."""
    if evaluation.eps is None:
        return _curve_of_distances(evaluation)
    order = np.argsort(evaluation.eps)
    threat = threat or _threat(evaluation)
    sizes = [float(evaluation.eps[k]) for k in order]
    with_zero = sizes[0] > 0

    def series(name: str, success: np.ndarray, role: str) -> Series:
        measures = [evaluation.clean_measure()] * with_zero + [
            evaluation.robust_measure(int(k), success) for k in order
        ]
        return _series(name, measures, role)

    lines = [series("worst case", evaluation.success, "worst")]
    for unit in evaluation.units:
        if unit.result is not None and len(evaluation.results) > 1:
            lines.append(series(unit.label, unit.result.success, "baseline" if "baseline" in unit.tags else "attack"))
    xs = tuple([0.0] * with_zero + sizes)
    return Curve(
        title=f"Accuracy under attack ({evaluation.norm})",
        x_label=f"eps ({evaluation.norm})",
        y_label="right predictions",
        x=xs,
        x_names=tuple(threat.name(x) for x in xs),
        series=tuple(lines),
        mark=max(sizes),
        mark_label="declared eps",
        note="Shares of all samples, with 95% Wilson intervals. What was wrong before the attack counts as wrong.",
    )


def attack_table(evaluation: Evaluation, at: int) -> Table:
    """One row for each attack."""
    right = ~evaluation.initially_wrong
    rows = []
    for unit in evaluation.units:
        result = unit.result
        if result is None:
            rows.append((unit.label, _sees(unit), "did not finish", "", "", "", ""))
            continue
        flipped = int(result.success[at].sum())
        asked = result.queries
        rows.append(
            (
                unit.label,
                _sees(unit),
                f"{flipped} of {int(right.sum())}",
                briefly(evaluation.robust_measure(at, result.success)),
                f"{asked.forward[right].mean():.0f}" if right.any() else "0",
                f"{asked.backward[right].mean():.0f}" if right.any() else "0",
                f"{result.seconds:.1f} s",
            )
        )
    columns = ("Attack", "Sees", "Flipped", "Robust accuracy", "Queries", "Gradients", "Time")
    note = "Queries and gradients: the mean over the samples that were attacked, all sizes together."
    return Table(title="Attack by attack", columns=columns, rows=tuple(rows), note=note)


def masking(evaluation: Evaluation, at: int) -> tuple[str, ...]:
    """A remark where attacks without gradients find what attacks with them miss."""
    finished = [unit for unit in evaluation.units if unit.result is not None]
    with_gradients = {u.label: u.result for u in finished if "white-box" in u.tags and u.result is not None}
    without = {u.label: u.result for u in finished if "black-box" in u.tags and u.result is not None}
    if not with_gradients or not without:
        return ()
    missed = int((evaluation.worst(without)[at] & ~evaluation.worst(with_gradients)[at]).sum())
    right = int((~evaluation.initially_wrong).sum())
    if missed <= max(1, 0.01 * right):
        return ()
    return (
        f"{missed} samples were flipped by an attack without gradients and by none with them: the gradients may be "
        "masked, and the true robust accuracy lower than reported.",
    )


def cost(evaluation: Evaluation) -> dict[str, float]:
    """Queries, gradients and seconds of all attacks together."""
    results = evaluation.results.values()
    return {
        "forward": float(sum(int(result.queries.forward.sum()) for result in results)),
        "backward": float(sum(int(result.queries.backward.sum()) for result in results)),
        "seconds": float(evaluation.seconds),
    }


def warnings_of(evaluation: Evaluation) -> tuple[str, ...]:
    """What the attacks noticed, each remark once."""
    return tuple(dict.fromkeys(note for result in evaluation.results.values() for note in result.warnings))


def _threat(evaluation: Evaluation) -> Threat:
    eps = tuple(sorted({float(e) for e in evaluation.eps or () if e > 0})) or (0.0,)
    return Threat(evaluation.norm, eps, f"{evaluation.norm}:{','.join(f'{e:.6g}' for e in eps)}")


def _where(evaluation: Evaluation, threat: Threat | None) -> str:
    return f"{evaluation.norm} at any distance" if threat is None else f"{threat.norm} {threat.name(threat.at)}"


def _title(k: int, right: int, threat: Threat | None) -> str:
    size = "Changes of any size" if threat is None else f"Changes of at most {threat.name(threat.at)} ({threat.norm})"
    if right == 0:
        return "No input was classified correctly, so there was nothing to attack"
    if k == 0:
        return f"{size} flipped none of {plural(right, 'correct prediction')}"
    return f"{size} flip {share(k, right)} correct predictions"


def _each(evaluation: Evaluation, at: int) -> list[Measure]:
    return [
        evaluation.robust_measure(at, result.success, f"{label}.robust_accuracy")
        for label, result in evaluation.results.items()
    ]


def _introduced(unit: Unit) -> str:
    if "baseline" in unit.tags:
        return f"{unit.label} as a baseline"
    return f"{unit.label} (sees {_sees(unit)})" if _sees(unit) != "not declared" else unit.label


def _sees(unit: Unit) -> str:
    if "baseline" in unit.tags:
        return "nothing"
    return next((words for tag, words in _SEES.items() if tag in unit.tags), "not declared")


def _series(name: str, measures: Sequence[Measure], role: str) -> Series:
    bands = [measure.interval or (measure.value, measure.value) for measure in measures]
    return Series(
        name=name,
        role=role,
        y=tuple(measure.value for measure in measures),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
    )


def _curve_of_distances(evaluation: Evaluation) -> Curve:
    """Minimum-norm attacks answer every eps at once: the share of samples whose distance is larger."""
    found = evaluation.distance[np.isfinite(evaluation.distance)]
    sizes = np.linspace(0.0, float(found.max(initial=0.0)) or 1.0, 9)
    right = ~evaluation.initially_wrong

    def series(name: str, distance: np.ndarray, role: str) -> Series:
        counts = [int((right & (distance > size)).sum()) for size in sizes]
        return _series(name, [Measure.rate("robust_accuracy", k, evaluation.n, "samples") for k in counts], role)

    lines = [series("worst case", evaluation.distance, "worst")]
    if len(evaluation.results) > 1:
        lines += [series(label, result.distance, "attack") for label, result in evaluation.results.items()]
    return Curve(
        title=f"Accuracy over the distance that is allowed ({evaluation.norm})",
        x_label=f"distance ({evaluation.norm})",
        y_label="right predictions",
        x=tuple(float(size) for size in sizes),
        series=tuple(lines),
        note="Shares of all samples with 95% Wilson intervals, from the smallest change found for each.",
    )
