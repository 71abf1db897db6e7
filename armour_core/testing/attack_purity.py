"""What an attack leaves alone: data, model, its own settings, the caller's generators, the host, an earlier run."""

from __future__ import annotations

import contextlib

import numpy as np

from armour_core.engine.run import run_attack
from armour_core.testing.bench import Bench
from armour_core.testing.guards import Elsewhere, HostTransfer, NoTransfers, Watched
from armour_core.testing.verdicts import Broken, NotJudged, expect


def leaves_inputs_and_model(bench: Bench) -> None:
    """x, y, the weights and the attack's own settings are the same bytes afterwards."""
    before, after = bench.base.before, bench.base.after
    bench.result("leaves_inputs_and_model")
    moved = [name for name in ("x", "y") if getattr(before, name) != getattr(after, name)]
    moved += [f"weight {key!r} of the model" for key in before.weights if before.weights[key] != after.weights[key]]
    moved += ["the attack itself"] if before.settings != after.settings else []
    right = np.array(bench.data.x[bench.data.right])  # all of it is attacked, so that nothing need be gathered from it
    model, labels = bench.model(bench.eager), bench.data.y[bench.data.right]
    bytes_before = right.tobytes()
    run_attack(bench.attack, model, right, labels, eps=bench.setup.eps, batch_size=len(right))
    moved += ["x"] if right.tobytes() != bytes_before and "x" not in moved else []
    expect(
        not moved,
        f"{', '.join(moved)} changed during the run. Nothing is changed in place: make a new tensor (xp.where, x + d), "
        "and keep what changes in the state.",
    )


def leaves_generators(bench: Bench) -> None:
    """The caller's global generators are where they were: all randomness comes from `rng`."""
    before, after = bench.base.before.generators, bench.base.after.generators
    moved = [name for name in before if before[name] != after[name]]
    expect(
        not moved, f"the global generator of {', '.join(moved)} moved: draw from the rng that start and step are given."
    )


def stays_on_device(bench: Bench) -> None:
    """On a local model, no tensor is fetched to the host within start, step and finish."""
    if not bench.traceable:
        raise NotJudged("it runs in Python: it has no steps, or says traceable = False")
    bench.result("stays_on_device")
    elsewhere = Elsewhere(bench.backend)
    guard = NoTransfers(elsewhere)
    with contextlib.suppress(HostTransfer):  # noted by the guard
        bench.run(bench.model(elsewhere), attack=Watched(bench.attack, guard))
    expect(
        not guard.met,
        f"a value was fetched to the host: {guard.met and guard.met[0]}. Keep it a tensor (xp.where for a decision), "
        "or say traceable = False.",
    )


def repeats(bench: Bench) -> None:
    """The same seed gives the same bytes."""
    first = bench.result("repeats")
    again = bench.run(bench.base.model)
    expect(
        np.asarray(first.x_adv(0)).tobytes() == np.asarray(again.x_adv(0)).tobytes()
        and np.array_equal(first.success, again.success)
        and np.array_equal(first.queries.forward, again.queries.forward),
        "two runs with the same seed differ. All randomness comes from rng; nothing is remembered between runs.",
    )


def forgets_other_eps(bench: Bench) -> None:
    """A second eps through code that was compiled for a first one gives what it gives alone."""
    bench.result("forgets_other_eps")
    larger = 1.6 * bench.setup.eps
    alone = bench.run(bench.model(), attack=bench.made(), eps=larger)
    after = bench.run(bench.base.model, attack=bench.base.attack, eps=larger)
    try:
        bench.same(alone, after, "after a run at a smaller eps on the same model", "")
    except Broken as broken:
        raise Broken(
            f"{broken}Something of the first run was kept: read p.eps and p.x in each call, as tensors."
        ) from None
