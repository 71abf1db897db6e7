"""HopSkipJump: labels only, at the number of queries that the peer takes."""

from __future__ import annotations

import armour_core as armour
from benchmarks import peers
from benchmarks.frameworks import Side
from benchmarks.rows import Row
from benchmarks.settings import Settings
from benchmarks.timing import Contender, Course


def race(side: Side, course: Course, settings: Settings) -> None:
    """Each peer takes its jumps; armour gets as many queries per row, and no more."""
    if side.counted is None:
        return
    few, jumps = side.first(settings.few), settings.jumps
    model = armour.wrap(side.net, bounds=(0, 1))
    attack = armour.create("attack", "hopskipjump", steps=4 * jumps)
    for name, run in (
        ("Foolbox", peers.foolbox(few, "HopSkipJumpAttack", None, steps=jumps)),
        ("ART", peers.art(few, "HopSkipJump", max_iter=jumps, max_eval=10000, init_eval=100)),
    ):
        try:
            queries = max(3, side.counted(run) // len(few.labels))
        except Exception as error:
            note = f"does not run here: {type(error).__name__}: {str(error).splitlines()[0][:120]}"
            what = f"HopSkipJump, {len(few.labels)} rows"
            course.rows.append(Row(framework=course.framework, what=what, beside=name, note=note))
            continue
        course.race(
            f"HopSkipJump, {len(few.labels)} rows, {queries} queries each",
            lambda queries=queries: armour.run_attack(attack, model, few.x, few.y, budget=queries).x_adv(),
            [Contender(name, run)],
            "median L2 distance",
            few.median_distance,
            repeats=max(1, settings.repeats // 3),
        )
