"""Square: queries of scores."""

from __future__ import annotations

import armour_core as armour
from benchmarks import peers
from benchmarks.frameworks import Side
from benchmarks.settings import Settings
from benchmarks.timing import Contender, Course

_EPS = 0.1


def race(side: Side, course: Course, settings: Settings) -> None:
    """The same number of queries for each."""
    n, batch = settings.queries, len(side.labels)
    model = armour.wrap(side.net, bounds=(0, 1))
    attack = armour.create("attack", "square", norm="linf", steps=n, rescale_schedule=True)
    others = [
        Contender("ART", peers.art(side, "SquareAttack", eps=_EPS, max_iter=n, batch_size=batch)),
    ]
    if side.name == "torch":
        others.append(Contender("torchattacks", peers.torchattacks(side, "Square", eps=_EPS, n_queries=n)))
    course.race(
        f"Square, batch {batch}, eps {_EPS:g}, {n} queries",
        lambda: armour.run_attack(attack, model, side.x, side.y, eps=_EPS).x_adv(),
        others,
        "robust accuracy",
        side.robust_accuracy,
        repeats=max(1, settings.repeats // 2),
    )
