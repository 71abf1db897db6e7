"""The report as one self-contained HTML page: no script, no network; for desktop, phone, print and screen reader."""

import math
from collections.abc import Mapping
from datetime import datetime
from importlib import resources

import jinja2
from attrs import frozen

from armour_core.evidence import Feature, Sample
from armour_core.findings import Measure
from armour_core.report import Report
from armour_plugins.reporters._chart import HEIGHT, WIDTH, chart, numbers

_STATUS = {
    "confirmed": "shown",
    "not_found": "looked for, not found",
    "not_tested": "not tested",
    "error": "did not finish",
}
_TAXONOMIES = {"nist": "NIST AI 100-2", "atlas": "MITRE ATLAS", "owasp": "OWASP ML Top 10", "cwe": "CWE"}


@frozen(kw_only=True)
class Html:
    """Verdict first; then per finding what was tried, the number, the picture, how to reproduce it, what to do."""

    def render(self, report: Report) -> bytes:
        """UTF-8 HTML. Every string is escaped: names from a model or a file are shown, never interpreted."""
        folder = resources.files("armour_plugins.reporters") / "templates"
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {
            "percent": _percent,
            "interval": _interval,
            "metric": _metric,
            "fact": _fact,
            "bars": _bars,
            "config": _config,
            "when": _when,
            "paragraphs": lambda text: [part for part in text.split("\n\n") if part],
        }
        environment.globals |= {"chart": chart, "numbers": numbers, "width": WIDTH, "height": HEIGHT}
        template = environment.from_string((folder / "report.html.j2").read_text("utf-8"))
        style = (folder / "report.css").read_text("utf-8")
        return template.render(
            report=report, style=style, status_words=_STATUS, taxonomies=_taxonomies(report), tiles=_tiles(report)
        ).encode()


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _interval(measure: Measure) -> str:
    if measure.interval is None:
        return ""
    low, high = measure.interval
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def _metric(name: str) -> str:
    """`pgd.robust_accuracy` as a person says it."""
    plugin, dot, metric = name.rpartition(".")
    words = metric.replace("_", " ")
    return f"{words}, {plugin}" if dot else words.capitalize()


def _fact(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_fact(entry) for entry in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _config(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {_fact(value)}" for name, value in values.items())


def _when(created: str) -> str:
    """ISO 8601 as people read it; as it is where it is something else."""
    try:
        return datetime.fromisoformat(created).strftime("%d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return created


def _tiles(report: Report) -> list[Measure]:
    """The few numbers at the top: each unqualified metric once, the worst finding's first."""
    seen: dict[str, Measure] = {}
    for finding in report.ranked:
        for measure in finding.measures:
            if "." not in measure.metric:
                seen.setdefault(measure.metric, measure)
    return list(seen.values())[:4]


def _taxonomies(report: Report) -> dict[str, list[tuple[str, str]]]:
    """Finding id -> (taxonomy, entry) pairs; a tag without a known prefix is shown as it is."""
    return {
        finding.id: [
            (_TAXONOMIES.get(prefix, prefix), entry) if entry else ("", prefix)
            for prefix, _, entry in (tag.partition(":") for tag in finding.tags)
        ]
        for finding in report.findings
    }


def _bars(sample: Sample) -> list[tuple[Feature, float, float]]:
    """Each feature with start and length, in percent, of a bar from the middle: left is less, right is more."""
    largest = max((abs(feature.after - feature.before) for feature in sample.features), default=0.0)
    if not (largest > 0 and math.isfinite(largest)):
        return [(feature, 50.0, 0.0) for feature in sample.features]
    lengths = [50 * (feature.after - feature.before) / largest for feature in sample.features]
    return [(feature, 50 + min(length, 0.0), abs(length)) for feature, length in zip(sample.features, lengths)]
