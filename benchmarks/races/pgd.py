"""PGD in Linf: where every step is run, and where an undefended network lets armour stop early."""

from __future__ import annotations

from typing import Any

import armour_core as armour
from benchmarks import peers
from benchmarks.frameworks import Side
from benchmarks.settings import Settings
from benchmarks.timing import Contender, Course

# The largest ratio that is promised beside: a loop that keeps the best iterate, one that does not, torchattacks,
# Foolbox, ART.
_EVERY_STEP = {"torch": (1.05, 1.10, 1.10, 1.0, 1.0), "tensorflow": (0.4, 0.4, None, 0.4, 0.4)}
_EARLY = {"torch": (0.8,) * 5, "tensorflow": (0.4, 0.4, None, 0.4, 0.4)}


def race(side: Side, course: Course, settings: Settings) -> None:
    """Both races."""
    for eps, figures, why in (
        (settings.small_eps, _EVERY_STEP, "every step is run"),
        (settings.usual_eps, _EARLY, "undefended"),
    ):
        what = f"PGD-{settings.steps}, batch {len(side.labels)}, eps {eps:g}: {why}"
        _race(side, course, settings.steps, eps, figures[side.name], what)


def ours(side: Side, steps: int, eps: Any) -> Any:
    """armour's PGD on all rows, as a function without arguments that returns the adversarials."""
    model = armour.wrap(side.net, bounds=(0, 1))
    attack = armour.create("attack", "pgd", norm="linf", steps=steps)
    return lambda: armour.run_attack(attack, model, side.x, side.y, eps=eps).x_adv()


def _race(side: Side, course: Course, steps: int, eps: float, figures: tuple[float | None, ...], what: str) -> None:
    size = 2.5 * eps / steps
    net, x, y, loops = side.net, side.x, side.y, side.loops
    best, last, third, fourth, fifth = figures
    others = [
        Contender("hand-written loop that keeps the best iterate", lambda: loops.pgd_best(net, x, y, eps, steps), best),
        Contender("hand-written loop", lambda: loops.pgd(net, x, y, eps, steps), last),
    ]
    if hasattr(loops, "pgd_graph"):
        others.append(Contender("hand-written loop in a tf.function", lambda: loops.pgd_graph(net, x, y, eps, steps)))
    if side.name == "torch":
        attack = peers.torchattacks(side, "PGD", eps=eps, alpha=size, steps=steps)
        others.append(Contender("torchattacks", attack, third))
    like = {"eps": eps, "eps_step": size, "max_iter": steps, "num_random_init": 1, "batch_size": len(side.labels)}
    others += [
        Contender("Foolbox", peers.foolbox(side, "LinfPGD", eps, abs_stepsize=size, steps=steps), fourth),
        Contender("ART", peers.art(side, "ProjectedGradientDescent", **like), fifth),
    ]
    course.race(what, ours(side, steps, eps), others, "robust accuracy", side.robust_accuracy)
