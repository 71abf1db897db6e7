"""What an attack asks: each row booked to its sample, and never more than it may."""

from __future__ import annotations

from typing import Any

from armour_core.results import Result
from armour_core.testing.bench import Bench
from armour_core.testing.guards import Referee
from armour_core.testing.verdicts import expect

_ASK = "Ask through p (query, margin, success, grad, jacobian), never p.model: what is asked otherwise is not counted."


def counts(bench: Bench) -> None:
    """A referee at the model sees what was booked and computed beside it; a remote model sees only what was booked."""
    bench.result("counts")
    for local in (True, False):
        result, seen = _refereed(bench, local)
        booked, beside = int(result.queries.forward.sum()), int(result.queries.computed.sum())
        where = "a local model" if local else "a remote model"
        expect(
            seen == booked + beside,
            f"{where} computed {seen} rows, but {booked} were booked and {beside} computed beside them. {_ASK}",
        )
        if not local and "autodiff" not in bench.spec.needs:
            expect(
                beside == 0,
                f"a remote model, to which rows are sent exactly, computed {beside} rows that nobody asked.",
            )


def keeps_budget(bench: Bench) -> None:
    """No sample costs more queries than the budget allows, the first prediction and the last check included."""
    bench.result("keeps_budget")
    for queries in (5,) if bench.level == "quick" else (2, 3, 5, 11):
        result, seen = _refereed(bench, False, budget=queries)
        most = int(result.queries.forward.max())
        expect(most <= queries, f"a sample was sent {most} times on a budget of {queries}. {_ASK}")
        booked = int(result.queries.forward.sum() + result.queries.computed.sum())
        expect(
            seen == booked,
            f"on a budget of {queries} the model saw {seen} rows, of which {booked} are accounted for. {_ASK}",
        )


def _refereed(bench: Bench, local: bool, **options: Any) -> tuple[Result, int]:
    """A run on an eager model, and the rows that the model itself counted."""
    gradients = "autodiff" in bench.spec.needs
    referee = Referee(bench.backend)
    model = bench.model(referee, local=local, gradients=gradients)
    if local:
        model.examine(model.admit(bench.data.x))  # looking at a new model is not the attack's asking
        referee.rows = 0
    result = bench.run(model, **options)
    return result, referee.rows
