"""Carlini & Wagner in L2: the smallest perturbation."""

from __future__ import annotations

import armour_core as armour
from benchmarks import peers
from benchmarks.frameworks import Side
from benchmarks.settings import Settings
from benchmarks.timing import Contender, Course

_C = 0.1  # the first value of c, where several are tried
_ONE = 10.0  # the only one, where none other is


def race(side: Side, course: Course, settings: Settings) -> None:
    """As many values of c as Foolbox tries, and one value as in torchattacks, which searches none."""
    steps, batch = settings.adam, len(side.labels)
    repeats = max(1, settings.repeats // 3)
    search = peers.foolbox(
        side, "L2CarliniWagnerAttack", None,
        binary_search_steps=settings.consts, steps=steps, stepsize=0.01, initial_const=_C,
    )  # fmt: skip
    course.race(
        f"C&W, batch {batch}, {settings.consts} values of c of {steps} steps",
        _ours(side, steps, settings.consts, _C),
        [Contender("Foolbox", search)],
        "median L2 distance",
        side.median_distance,
        repeats,
    )
    if side.name == "torch":
        single = peers.torchattacks(side, "CW", c=_ONE, steps=steps, lr=0.01)
        course.race(
            f"C&W, batch {batch}, c = {_ONE:g}, {steps} steps",
            _ours(side, steps, 1, _ONE),
            [Contender("torchattacks", single, note="it stops the whole batch once its total cost has risen")],
            "median L2 distance",
            side.median_distance,
            repeats,
        )


def _ours(side: Side, steps: int, rounds: int, const: float):
    model = armour.wrap(side.net, bounds=(0, 1))
    attack = armour.create("attack", "cw", steps=steps, rounds=rounds, learning_rate=0.01, initial_const=const)
    return lambda: armour.run_attack(attack, model, side.x, side.y).x_adv()
