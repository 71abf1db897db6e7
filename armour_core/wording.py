"""Numbers as people say them, for titles and summaries. No word claims more than the number does."""

from armour_core.findings import Measure


def share(k: int, n: int) -> str:
    """`k` of `n` in figures a person says, never rounded to none or all: "9 of 10", "36 of 100", "fewer than 1 of 100".

    The count itself below a hundred; else tenths where they are within 2.5 points, else hundredths.
    """
    if n == 0:
        return "none of 0"
    if k in (0, n):
        return "none" if k == 0 else "all"
    if n < 100:
        return f"{k} of {n}"  # rounded, it would be taken for a count of others
    tenths = round(10 * k / n)
    if 0 < tenths < 10 and abs(k / n - tenths / 10) <= 0.025:
        return f"{tenths} of 10"
    hundredths = round(100 * k / n)
    if hundredths == 0:
        return "fewer than 1 of 100"
    return "more than 99 of 100" if hundredths == 100 else f"{hundredths} of 100"


def percent(measure: Measure) -> str:
    """`5.5% (95% interval 4.0 to 7.7%)`."""
    if measure.interval is None:
        return f"{measure.value:.1%}"
    low, high = measure.interval
    return f"{measure.value:.1%} ({measure.level:.0%} interval {100 * low:.1f} to {100 * high:.1f}%)"


def briefly(measure: Measure) -> str:
    """`5.5% (4.0–7.7)`, for tables."""
    if measure.interval is None:
        return f"{measure.value:.1%}"
    low, high = measure.interval
    return f"{measure.value:.1%} ({100 * low:.1f}–{100 * high:.1f})"


def listed(words: list[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def plural(n: int, word: str) -> str:
    """`1 attack`, `2 attacks`."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
