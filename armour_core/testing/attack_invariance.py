"""The same whatever the batch, the order, the compiler and the framework."""

from __future__ import annotations

import numpy as np

from armour_core.engine.driver import drive
from armour_core.engine.problem import Problem
from armour_core.engine.verdict import Outcome
from armour_core.goals import Untargeted
from armour_core.protocols.backend import Backend
from armour_core.results import Queries, Result
from armour_core.testing.bench import Bench
from armour_core.testing.verdicts import NotJudged, expect

_ALONE = (
    "Rows are independent: no mean, maximum or count over the batch; draws of the shape (N, ...) from rng; what "
    "differs per sample is in the state."
)


def same_in_any_batch(bench: Bench) -> None:
    """Split into other batches, every sample fares the same."""
    if bench.setup.rows == 1:
        raise NotJudged("a single sample cannot be split")
    bench.result("same_in_any_batch")
    sizes = (3,) if bench.level == "quick" else (1, 3, 5)
    for size in sizes:
        split = bench.run(bench.model(bench.eager), batch_size=size)
        bench.same(bench.calm, split, f"in batches of {size} and of {bench.setup.rows}", _ALONE)


def same_in_any_order(bench: Bench) -> None:
    """In another order, every sample fares the same: it is known by p.index."""
    if bench.setup.rows == 1 or hasattr(bench.attack, "stages"):
        raise NotJudged("a single sample has one order" if bench.setup.rows == 1 else "its stages are checked alone")
    bench.result("same_in_any_order")
    order = np.random.RandomState(11).permutation(bench.data.right)
    place = np.argsort(order)  # where the rows of `right`, in order, have gone
    outcome = drive(bench.attack, _problem(bench, order), bench.eager.rng(0))
    rows = np.sort(order)
    bench.same(bench.calm, _as_result(bench, outcome, place, rows), "in another order", _ALONE, rows)


def _problem(bench: Bench, rows: np.ndarray) -> Problem:
    model, backend = bench.model(bench.eager), bench.eager
    labels = backend.asarray(bench.data.y[rows].astype(np.int32))
    return Problem(
        model=model,
        x=model.admit(bench.data.x[rows]),
        goal=Untargeted(labels, backend.xp),
        norm=bench.setup.norm,
        eps=None if bench.minimum else bench.setup.eps,
        enough=bench.setup.eps if bench.minimum else None,
        index=backend.asarray(rows.astype(np.int32)),
        row_limit=bench.setup.rows,
    )


def _as_result(bench: Bench, outcome: Outcome, place: np.ndarray, rows: np.ndarray) -> Result:
    """An outcome of these rows, laid out like the result it is compared with."""
    calm = bench.calm
    x = np.array(bench.data.x)
    x[rows] = np.asarray(outcome.returned)[place]
    success, distance = calm.success.copy(), calm.distance.copy()
    distance[rows] = np.asarray(outcome.distance)[place]
    success[0, rows] = np.asarray(outcome.success)[place] & (distance[rows] <= bench.setup.eps * (1 + 1e-9))
    if bench.minimum:  # what lies outside the ball of eps is not returned for it
        outside = rows[~success[0, rows]]
        x[outside] = bench.data.x[outside]
    counts = [calm.queries.forward.copy(), calm.queries.backward.copy()]
    counts[0][rows], counts[1][rows] = outcome.forward[place], outcome.backward[place]
    return Result(
        attack=calm.attack,
        norm=calm.norm,
        eps=calm.eps,
        success=success,
        distance=distance,
        initially_wrong=calm.initially_wrong,
        queries=Queries(forward=counts[0], backward=counts[1], computed=calm.queries.computed),
        seconds=0.0,
        seed=calm.seed,
        batch_size=calm.batch_size,
        kept=lambda k: x,
    )


def compiled_as_eager(bench: Bench) -> None:
    """Compiled, it finds what it finds step by step in Python."""
    result = bench.result("compiled_as_eager")
    advice = "A trace runs once: what Python decides or remembers in it is frozen. Decide with xp.where."
    bench.same(result, bench.calm, "compiled and eager", advice)
    if bench.switch and (compiling := _always_compiling(bench)) is not None:
        result = bench.run(bench.setup.model(compiling, bench.dtype))
        bench.same(result, bench.calm, f"under {bench.backend.name}'s compiler and eager", advice)


def _always_compiling(bench: Bench) -> Backend | None:
    """The same backend with its compile switch on, where it has one."""
    made_by = type(bench.backend)
    parameters = getattr(made_by.__init__, "__kwdefaults__", None) or {}
    names = made_by.__init__.__code__.co_varnames if hasattr(made_by.__init__, "__code__") else ()
    if "compile" not in {*parameters, *names}:
        return None
    return made_by(bench.backend.device, compile="always")  # type: ignore[call-arg]


def same_on_every_backend(here: Bench, there: Bench) -> None:
    """Two backends, the same weights and data: the same finds and counts, adversarials within rounding."""
    here.result("same_on_every_backend")
    there.result("same_on_every_backend")
    expect(
        np.array_equal(here.calm.initially_wrong, there.calm.initially_wrong),
        "the reference models differ between backends: look at the backend before the attack.",
    )
    advice = "Only functions of p.xp, of which each backend has the same: see the neutral subset."
    here.same(here.calm, there.calm, f"on {here.backend.name} and {there.backend.name}", advice)
