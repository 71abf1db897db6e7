"""Thresholds that a report is held against: `robust_accuracy<0.4` fails the run."""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from attrs import frozen

from armour_core.errors import ConfigError

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM: Final = re.compile(r"\s*([A-Za-z_][\w./-]*)\s*(<=|>=|<|>)\s*([0-9.eE+-]+)\s*(%?)\s*\Z")


@frozen
class Gate:
    """A condition under which a run fails."""

    metric: str
    sign: str
    threshold: float

    @classmethod
    def parse(cls, expression: str) -> "Gate":
        """From `metric<number`; the number may be a percentage. Raises ConfigError for anything else."""
        match = _FORM.match(expression)
        try:
            if match is None:
                raise ValueError
            number = float(match[3]) / (100 if match[4] else 1)
        except ValueError:
            raise ConfigError(
                f"Threshold {expression!r} is not understood. Write a metric, one of < <= > >=, and a number: "
                "'robust_accuracy<0.4' fails the run when fewer than 40 % of the samples withstand."
            ) from None
        return cls(match[1], match[2], number)

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.metric}{self.sign}{self.threshold:g}"

    def fails(self, values: Iterable[float]) -> bool:
        """Whether any of the values of this metric meets the condition."""
        return any(_OPERATORS[self.sign](value, self.threshold) for value in values)

    def check_metric(self, known: Iterable[str]) -> None:
        """Raise ConfigError, with the nearest names, unless the metric is one of `known`."""
        names = sorted(set(known))
        if self.metric in names:
            return
        near = difflib.get_close_matches(self.metric, names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(names) or 'none'}."
        raise ConfigError(f"--fail-on {self.text!r}: the report has no metric {self.metric!r}. {hint}")


@frozen
class GateResult:
    """What became of a gate. `value` is the one furthest on the wrong side; None where nothing was measured."""

    expression: str
    metric: str
    value: float | None
    failed: bool


def judge(gate: Gate, values: Iterable[float]) -> GateResult:
    """Hold a gate against the values of its metric. A metric that was not measured fails: silence is no pass."""
    found = list(values)
    if not found:
        return GateResult(gate.text, gate.metric, None, True)
    worst = min(found) if gate.sign.startswith("<") else max(found)
    return GateResult(gate.text, gate.metric, worst, gate.fails(found))
