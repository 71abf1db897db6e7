"""Eight eps: what is found at a small one is carried upward, so that a sweep costs little more than one run."""

from __future__ import annotations

from benchmarks.frameworks import Side
from benchmarks.races.pgd import ours
from benchmarks.settings import Settings
from benchmarks.timing import Contender, Course


def race(side: Side, course: Course, settings: Settings) -> None:
    """On eps up to the usual one, and on eps so small that nothing is found."""
    steps = settings.steps
    full = Contender("one eps, every step run", ours(side, steps, settings.small_eps))
    for what, top, figure in (
        (f"PGD-{steps}, eight eps up to {settings.usual_eps:g}: undefended", settings.usual_eps, 3.0),
        (f"PGD-{steps}, eight eps up to {settings.small_eps:g}: every step is run", settings.small_eps, 8.0),
    ):
        eps = [top * (k + 1) / 8 for k in range(8)]
        repeats = max(1, settings.repeats // 2)
        course.race(what, ours(side, steps, eps), [Contender(full.name, full.run, figure)], repeats=repeats)
