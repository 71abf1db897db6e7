"""What an attacker may do, as a person writes it: `linf:8/255`, `l2:0.5`, `linf:0.1,0.2,0.3`, `linf:0.02..0.1`."""

import math
import re
from typing import Any, Final

from attrs import frozen

from armour_core.errors import ConfigError
from armour_core.fields import NORMS, norm_name

_POINTS: Final = 8  # of a sweep up to one eps, and of a range without a count
_NUMBER: Final = r"[0-9.]+(?:[eE][+-]?[0-9]+)?"
_FRACTION: Final = re.compile(rf"\s*([+-]?{_NUMBER})\s*(?:/\s*({_NUMBER}))?\s*\Z")
_FORMS: Final = "linf:8/255, l2:0.5, linf:0.1,0.2,0.3, or a range as in linf:0.02..0.1"
_WORDS: Final = {
    "linf": "each value changes by at most {eps}",
    "l2": "the change has a Euclidean length of at most {eps}",
    "l1": "the absolute changes add up to at most {eps}",
    "l0": "at most {eps} values change, by any amount",
}


@frozen
class Threat:
    """A norm and the sizes of perturbation that are looked at; the largest one is what the verdict is about."""

    norm: str  #: "linf", "l2", "l1", "l0"
    eps: tuple[float, ...]  #: ascending, all above 0, in the units of x
    text: str  #: as it was written

    @classmethod
    def parse(cls, text: str) -> "Threat":
        """From `NORM:EPS`. Raises ConfigError for an unknown norm and for what is no size of a perturbation."""
        norm, colon, sizes = str(text).partition(":")
        name = norm_name(norm)
        if not colon or name not in NORMS:
            what = f"norm {norm.strip()!r} is unknown" if colon else "there is no colon"
            raise ConfigError(f"Threat {text!r}: {what}. Write NORM:EPS, the norm one of {', '.join(NORMS)}: {_FORMS}.")
        eps = tuple(sorted({value for value in _sizes(str(text), sizes) if value > 0}))
        if not eps:
            raise ConfigError(f"Threat {text!r} allows no change at all. Give an eps above 0: {_FORMS}.")
        if name == "l0" and any(value != round(value) for value in eps):
            raise ConfigError(f"Threat {text!r}: l0 counts values that change. Give whole numbers, as in l0:5.")
        return cls(str(name), eps, f"{name}:{sizes.strip()}")

    @classmethod
    def of(cls, threat: "Threat | str") -> "Threat":
        """A Threat as it is, or parsed from its text."""
        if isinstance(threat, Threat):
            return threat
        if not isinstance(threat, str):
            raise ConfigError(f"threat is {threat!r} ({type(threat).__name__}). Write a string: {_FORMS}.")
        return cls.parse(threat)

    @property
    def at(self) -> float:
        """The eps that the verdict is about."""
        return self.eps[-1]

    @property
    def sweep(self) -> tuple[float, ...]:
        """The eps to attack at: those given, or for a single one eighths of it, so that a curve can be drawn."""
        if len(self.eps) > 1:
            return self.eps
        parts = (self.at * k / _POINTS for k in range(1, _POINTS + 1))
        return tuple(sorted({math.ceil(part) for part in parts})) if self.norm == "l0" else tuple(parts)

    def name(self, eps: float) -> str:
        """An eps as this threat would write it: over 255 where it was given so."""
        over = re.findall(rf"/\s*({_NUMBER})", self.text)
        if over and eps > 0:
            return f"{eps * float(over[-1]):.4g}/{over[-1]}"
        return f"{eps:.4g}"

    @property
    def words(self) -> str:
        """What the attacker may do, in words."""
        return _WORDS[self.norm].format(eps=self.name(self.at))

    def remarks(self, bounds: tuple[float, float]) -> tuple[str, ...]:
        """What looks like a slip of units, given the bounds of the model's input."""
        low, high = bounds
        share = self.at / (high - low)
        found = f"eps {self.name(self.at)} is {share:.2g} of the range [{low:g}, {high:g}] of the input"
        if self.norm == "linf" and share < 1 / 2550:
            return (f"{found}: hardly any change. eps is in the units of the input: linf:8 where bounds are (0, 255).",)
        if self.norm == "linf" and share >= 0.5:
            return (f"{found}: every input can be turned into mid-grey, which no model withstands.",)
        return ()


def _sizes(text: str, sizes: str) -> list[float]:
    if not sizes.strip():
        raise ConfigError(f"Threat {text!r} has no eps after the colon. Write {_FORMS}.")
    first, dots, rest = sizes.partition("..")
    if not dots:
        return [_size(text, part) for part in sizes.split(",")]
    last, colon, count = rest.partition(":")
    low, high = _size(text, first), _size(text, last)
    if colon and not (count.strip().isdigit() and int(count) >= 2):
        raise ConfigError(
            f"Threat {text!r}: {count.strip()!r} is no number of points; give 2 or more, as in linf:0.02..0.1:5."
        )
    if low >= high:
        raise ConfigError(f"Threat {text!r}: a range goes from its smaller to its larger end, as in linf:0.02..0.1.")
    points = int(count) if colon else _POINTS
    return [low + (high - low) * k / (points - 1) for k in range(points)]


def _size(text: str, part: str) -> float:
    match = _FRACTION.match(part)
    try:
        value = float(match[1]) / float(match[2] or 1) if match else float(part)
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"Threat {text!r}: {part.strip()!r} is no number. Write {_FORMS}.") from None
    if not math.isfinite(value) or value < 0:
        raise ConfigError(
            f"Threat {text!r}: an eps of {part.strip()} is no size. Give a finite number above 0: {_FORMS}."
        )
    return value


def plainly(threat: Threat) -> dict[str, Any]:
    """The threat for a report."""
    return {"text": threat.text, "norm": threat.norm, "eps": list(threat.eps), "words": threat.words}
