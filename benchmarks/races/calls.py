"""What it costs to call a network through armour."""

from __future__ import annotations

import armour_core as armour
from benchmarks.frameworks import Side
from benchmarks.settings import Settings
from benchmarks.timing import Contender, Course

_CALLS = 20  # so that a clock of microseconds is fine enough


def race(side: Side, course: Course, settings: Settings) -> None:
    """A hundred and twenty-eight rows, and one."""
    model = armour.wrap(side.net, bounds=(0, 1))
    for n in (len(side.labels), 1):
        part = side.first(n)

        def through(x=part.x) -> None:
            for _ in range(_CALLS):
                model(x)

        def plain(x=part.x) -> None:
            for _ in range(_CALLS):
                side.loops.forward(side.net, x)

        what = f"{_CALLS} calls of a wrapped network, {n} row{'s' * (n > 1)} each"
        course.race(what, through, [Contender("the plain call", plain)])
