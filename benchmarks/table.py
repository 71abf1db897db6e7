"""Writes the rows as Markdown between two markers of a page, and leaves the rest of the page alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.rows import Row

_HEADER = "| beside | armour | other | ratio | figure | quality: armour | other | |"
_TITLES = {"torch": "torch, eager", "tensorflow": "TensorFlow, compiled", "python": "Command line"}


def rendered(rows: Sequence[Row], about: Sequence[str]) -> str:
    """The lines of `about`, then a table for each framework."""
    parts = ["\n".join(f"* {line}" for line in about)]
    for framework, group in groupby(rows, key=lambda row: row.framework):
        parts.append(f"### {_TITLES[framework]}\n\n{_table(list(group))}")
    return "\n\n".join(parts)


def written(page: Path, block: str, text: str) -> None:
    """Replace what stands between `<!-- begin: block -->` and `<!-- end: block -->`. Raises ValueError."""
    begin, end = f"<!-- begin: {block} -->", f"<!-- end: {block} -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page.name} has no lines {begin!r} and {end!r}: put them where the table belongs.")
    temporary = page.with_suffix(".tmp")
    temporary.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
    temporary.replace(page)


def _table(rows: Sequence[Row]) -> str:
    lines = [_HEADER, "|---|--:|--:|--:|--:|--:|--:|---|"]
    for what, group in groupby(rows, key=lambda row: row.what):
        group = list(group)
        measure = next((row.measure for row in group if row.measure), "")
        lines.append(f"| **{what}**{f'; {measure}' if measure else ''} | | | | | | | |")
        lines.extend(_line(row) for row in group)
    return "\n".join(lines)


def _line(row: Row) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    figure = "" if row.figure is None else f"≤ {row.figure:g}{'' if row.met is not False else ' **missed**'}"
    share = row.measure == "robust accuracy"
    cells = (
        row.beside, _time(row.ours), _time(row.theirs), ratio, figure,
        _quality(row.our_quality, share), _quality(row.their_quality, share), row.note,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _quality(value: float | None, share: bool) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if share else f"{value:.3f}"
