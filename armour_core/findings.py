"""What a probe found: a claim a person can say aloud, its number, how to reproduce it, and what answers it."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from attrs import Attribute, field, frozen

from armour_core.errors import ConfigError
from armour_core.evidence import Evidence
from armour_core.intervals import wilson

SEVERITIES: Final = ("critical", "high", "medium", "low", "info")
"""From worst to harmless."""

STATUSES: Final = ("confirmed", "not_found", "not_tested", "error")
"""Whether the weakness was shown, was looked for in vain, was not looked for, or the looking failed."""


@frozen(kw_only=True)
class Measure:
    """A number with its uncertainty and what it is a share of."""

    metric: str  #: the name a gate uses: "robust_accuracy"
    value: float
    interval: tuple[float, float] | None = None
    n: int | None = None
    denominator: str = ""  #: what the n are, in words
    level: float = 0.95
    method: str = "wilson"

    @classmethod
    def rate(cls, metric: str, k: int, n: int, denominator: str) -> "Measure":
        """`k` of `n` with its 95 % Wilson interval; for n = 0 the value is 0 and the interval is all of [0, 1]."""
        return cls(
            metric=metric,
            value=k / n if n else 0.0,
            interval=wilson(k, n) if n else (0.0, 1.0),
            n=n,
            denominator=denominator,
        )


@frozen(kw_only=True)
class Remedy:
    """A plugin that answers a finding."""

    plugin: str  #: "defense:adversarial_training"
    advice: str  #: what it does and what it costs, in a sentence
    available: bool  #: whether this installation has it


@frozen(kw_only=True)
class Step:
    """One line of a severity rule: from `at_least` on, under `condition`, the finding has this severity."""

    severity: str
    condition: str  #: the fact that is looked at
    words: str  #: the same for people
    at_least: float


@frozen(kw_only=True)
class SeverityRule:
    """How numbers become a severity. Data, so that a report can quote it and a person can disagree with it."""

    name: str
    about: str  #: what the limits are compared with, in words
    steps: tuple[Step, ...]  #: from worst to harmless; the first that holds decides

    @property
    def text(self) -> str:
        """The rule as a sentence."""
        lines = [f"{step.severity} from {step.at_least:.0%} {step.words}" for step in self.steps]
        return f"By {self.about}: {'; '.join(lines)}; info below. Where nothing failed it is low at most."

    def judge(self, facts: Mapping[str, Measure]) -> tuple[str, str]:
        """The severity for these facts and why, in words. A condition without a fact does not hold."""
        for step in self.steps:
            fact = facts.get(step.condition)
            if fact is None or _pessimistic(fact) < step.at_least:
                continue
            if fact.value > 0:
                return step.severity, f"up to {_pessimistic(fact):.0%} {step.words}"
            if step.severity == "low":  # a small sample is no evidence of failure, nor of its absence
                return "low", f"nothing failed, but {fact.n} samples leave up to {_pessimistic(fact):.0%} {step.words}"
        shown = [f"at most {_pessimistic(fact):.1%} {name.replace('_', ' ')}" for name, fact in facts.items()]
        return "info", ", ".join(shown) or "nothing was measured"


FAILURE_RATE: Final = SeverityRule(
    name="failure_rate",
    about="the upper end of the 95 % interval of the share of correct answers that were flipped",
    steps=(
        Step(severity="critical", condition="black_box", words="without access to the model's weights", at_least=0.5),
        Step(severity="critical", condition="smaller_budget", words="at half of the declared eps", at_least=0.5),
        Step(severity="high", condition="declared", words="at the declared eps", at_least=0.5),
        Step(severity="medium", condition="declared", words="at the declared eps", at_least=0.1),
        Step(severity="low", condition="declared", words="at the declared eps", at_least=0.02),
    ),
)
"""For anything that flips answers: attacks, corruptions, faults."""


def _pessimistic(fact: Measure) -> float:
    return fact.interval[1] if fact.interval is not None else fact.value


def _one_of(*options: str) -> Any:
    def check(instance: object, attribute: "Attribute[Any]", value: object) -> None:
        if value not in options:
            raise ConfigError(
                f"{type(instance).__name__}.{attribute.name} is {value!r}: give one of {', '.join(options)}."
            )

    return check


@frozen(kw_only=True)
class Finding:
    """One result of a probe. The first of `measures` is the number the title speaks of."""

    id: str  #: stable, such as "SEC-EVA-001"
    title: str  #: what a person would say aloud
    probe: str  #: id of the probe that found it
    severity: str = field(validator=_one_of(*SEVERITIES))
    status: str = field(default="confirmed", validator=_one_of(*STATUSES))
    scope: str = ""  #: where it holds, apart from the model: "linf 8/255"
    summary: str = ""  #: the number in a sentence
    tried: str = ""  #: what was done to find it
    why: str = ""  #: why it matters here, one paragraph
    measures: tuple[Measure, ...] = ()
    rule: str = ""  #: the severity rule, quoted
    because: str = ""  #: what in the rule decided
    evidence: Evidence = field(factory=Evidence)
    reproduce: str = ""  #: the exact command or code
    remedies: tuple[Remedy, ...] = ()
    tags: tuple[str, ...] = ()  #: "nist:evasion", "atlas:AML.T0043.000", "owasp:ML01"
    cost: Mapping[str, float] = field(factory=dict)  #: "forward", "backward": queries; "seconds"

    @property
    def metric(self) -> str:
        """Name of the headline number; empty where there is none."""
        return self.measures[0].metric if self.measures else ""

    @property
    def value(self) -> float | None:
        """The headline number."""
        return self.measures[0].value if self.measures else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its interval."""
        return self.measures[0].interval if self.measures else None

    @property
    def n(self) -> int | None:
        """How many it is a share of."""
        return self.measures[0].n if self.measures else None

    @property
    def denominator(self) -> str:
        """What these are, in words."""
        return self.measures[0].denominator if self.measures else ""

    @property
    def fingerprint(self) -> str:
        """The same for the same question asked of another model: what a comparison of two reports matches by."""
        return hashlib.sha256("\n".join((self.probe, self.id, self.scope, self.metric)).encode()).hexdigest()[:16]


def failed(probe: str, error: Exception, *, reproduce: str = "", what: str = "probe") -> Finding:
    """The entry for a probe or a unit of its work that broke off: it is shown, never swallowed."""
    return Finding(
        id=f"ERR-{probe.rpartition(':')[2].upper()}",
        title=f"The {what} {probe} did not finish",
        probe=probe,
        severity="info",
        status="error",
        summary=f"{type(error).__name__}: {error}",
        why="What it would have tested is not tested. Nothing follows from its absence.",
        reproduce=reproduce,
        tags=(f"error:{type(error).__name__}",),
    )
