"""The report of a scan: findings, and all that is needed to judge and to repeat them."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cattrs
import numpy as np
from attrs import evolve, field, frozen

from armour_core import registry
from armour_core.errors import AmbiguousPlugin, ConfigError, DataError, IntegrityError
from armour_core.findings import SEVERITIES, Finding
from armour_core.gates import Gate, GateResult, judge
from armour_core.store import write_atomically

SCHEMA_VERSION: Final = 1
"""Goes up when a reader of the JSON would have to change."""


@frozen(kw_only=True)
class Report:
    """What a scan found. JSON is its source of truth; everything else is a rendering of it."""

    findings: tuple[Finding, ...] = ()
    created: str = ""  #: UTC, ISO 8601
    seconds: float = 0.0
    tool: Mapping[str, Any] = field(factory=dict)  #: name, version
    model: Mapping[str, Any] = field(factory=dict)  #: name, uri, backend, device, bounds, outputs, classes
    data: Mapping[str, Any] = field(factory=dict)  #: name, uri, samples, shape, fingerprint
    threat: Mapping[str, Any] = field(factory=dict)  #: text, norm, eps
    settings: Mapping[str, Any] = field(factory=dict)  #: seed, batch_size, ...
    environment: Mapping[str, Any] = field(factory=dict)  #: versions
    plugins: tuple[Mapping[str, Any], ...] = ()  #: id, revision, origin, config of each plugin that ran
    untested: tuple[str, ...] = ()  #: probes that are installed and were not asked for
    gates: tuple[GateResult, ...] = ()
    warnings: tuple[str, ...] = ()
    command: str = ""  #: what makes this report again
    schema_version: int = SCHEMA_VERSION

    @property
    def passed(self) -> bool:
        """Whether every gate holds and every probe finished; without gates, whether nothing is high or critical."""
        if any(finding.status == "error" for finding in self.findings):
            return False
        if self.gates:
            return not any(gate.failed for gate in self.gates)
        return not any(finding.severity in ("critical", "high") for finding in self.findings)

    @property
    def ranked(self) -> tuple[Finding, ...]:
        """Findings from worst to harmless; in one severity, errors first and then in the order found."""
        return tuple(sorted(self.findings, key=lambda f: (SEVERITIES.index(f.severity), f.status != "error")))

    @property
    def totals(self) -> dict[str, int]:
        """How many findings of each severity, errors apart."""
        found = Counter(f.severity for f in self.findings if f.status != "error")
        return {severity: found[severity] for severity in SEVERITIES} | {
            "error": sum(f.status == "error" for f in self.findings)
        }

    @property
    def verdict(self) -> str:
        """One sentence: the worst that was found."""
        finished = [finding for finding in self.ranked if finding.status != "error"]
        return finished[0].title if finished else "Nothing was tested"

    @property
    def metrics(self) -> dict[str, list[float]]:
        """Every number of the report by its metric's name, and the number of findings by severity."""
        values: dict[str, list[float]] = {}
        for finding in self.findings:
            for measure in finding.measures:
                values.setdefault(measure.metric, []).append(measure.value)
        return values | {f"findings.{name}": [float(count)] for name, count in self.totals.items()}

    def gated(self, gates: Sequence[Gate]) -> "Report":
        """The same report, held against these gates. Raises ConfigError for a metric that it does not have."""
        for gate in gates:
            gate.check_metric(self.metrics)
        return evolve(self, gates=tuple(judge(gate, self.metrics[gate.metric]) for gate in gates))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; the keys are those of the published schema."""
        made: dict[str, Any] = plain(cattrs.unstructure(self))
        for entry, finding in zip(made["findings"], self.findings):
            entry |= {
                "metric": finding.metric,
                "value": finding.value,
                "interval": list(finding.interval) if finding.interval else None,
                "n": finding.n,
                "denominator": finding.denominator,
                "fingerprint": finding.fingerprint,
            }
        return made | {"passed": self.passed, "verdict": self.verdict, "totals": self.totals}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Report":
        """The report again. Raises DataError for another schema or a dict that is no report."""
        version = plain.get("schema_version") if isinstance(plain, Mapping) else None
        if version != SCHEMA_VERSION:
            raise DataError(
                f"This is no report that armour can read: schema_version is {version!r}, expected is {SCHEMA_VERSION}. "
                "A report of a newer armour needs that armour."
            )
        try:
            return cattrs.structure(plain, cls)
        except (cattrs.BaseValidationError, ConfigError, TypeError, ValueError) as error:
            reasons = "; ".join(cattrs.transform_error(error)[:3])
            raise DataError(
                f"This is no whole report: {reasons}. Render it from the report.json that a scan wrote."
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> "Report":
        """Read a report.json. Raises IntegrityError for a file that is damaged, DataError for another kind of file."""
        path = Path(path)
        try:
            plain = json.loads(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}. Name the report.json of a scan.") from error
        except ValueError as error:
            raise IntegrityError(f"{path} is damaged or truncated: {error}. Run the scan again.") from error
        return cls.from_dict(plain)

    def save(self, path: str | Path) -> Path:
        """Write the report in the format that the suffix names: `.json`, `.html`, or any that a plugin brings."""
        path = Path(path)
        suffix = path.suffix.lower()
        reporters = registry.list_plugins("reporter")
        found = [spec for spec in reporters if suffix and suffix in spec.tags]
        if not found:
            endings = ", ".join(sorted({tag for spec in reporters for tag in spec.tags if tag.startswith(".")}))
            raise ConfigError(
                f"No reporter writes {path.name!r}: choose a file name that ends in {endings or '(none)'}."
            )
        own = [
            spec for spec in found if spec.origin == "armour"
        ]  # installing a package never changes a format of armour's
        if len(own or found) > 1:
            raise AmbiguousPlugin(f"{suffix} is written by {' and by '.join(spec.id for spec in own or found)}.")
        return write_atomically(path, registry.create("reporter", (own or found)[0].id).render(self))


def plain(value: Any) -> Any:
    """`value` as JSON holds it: NumPy scalars as numbers, sets sorted, what JSON has no form for as text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(entry) for entry in value)
    if isinstance(value, Sequence):
        return [plain(entry) for entry in value]
    return str(value)
