"""The end of a batch: what is returned for each row, whether it is a success, and what it cost.

Success is judged on exactly what is returned, by the plain forward; a success met on the way that this check denies
counts as failed and is noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

from armour_core.engine.losses import training_loss
from armour_core.engine.problem import Frame, Problem
from armour_core.engine.settle import distances, settle
from armour_core.goals import KINDS, graded
from armour_core.protocols.backend import Array


@frozen(kw_only=True, eq=False)
class Outcome:
    """What became of a batch; one entry a row. Unchecked outcomes stay on the device, tensors all."""

    x_adv: Array  #: native, in the model's dtype
    success: Any  #: bool
    distance: Any  #: float64, in the attack's norm; inf where not found
    forward: Any  #: int, rows sent on the sample's behalf, the first prediction and the last check included
    backward: Any
    computed: Any  #: rows the model computed for it on top of these, finished or padding
    returned: np.ndarray | None = None  #: x_adv in the caller's dtype
    warnings: tuple[str, ...] = ()


def checked(
    problem: Problem,
    frame: Frame,
    carry: dict[str, Array],
    proposal: Array,
    forward: Callable[[Array], Array],
    plugin: str,
) -> Outcome:
    """Round, measure and judge what the books kept or, where they found nothing, what the attack proposes."""
    backend = problem.model.backend
    host = backend.to_numpy
    seen = host(problem.x)
    caller = seen if problem.caller is None else problem.caller
    eps = None
    if problem.eps is not None and not frame.minimum:
        given = host(problem.eps) if frame.wide_eps else problem.eps
        eps = np.broadcast_to(np.asarray(given, dtype=np.float64), (len(caller),))
    mask = None
    if problem.mask is not None:
        mask = np.broadcast_to(host(backend.asarray(problem.mask)).astype(bool), caller.shape)

    def settled(adversarial: Array, rows: Any = slice(None)) -> np.ndarray:
        return settle(
            host(adversarial)[rows],
            seen[rows],
            caller[rows],
            norm=frame.norm,
            eps=None if eps is None else eps[rows],
            bounds=frame.bounds,
            mask=None if mask is None else mask[rows],
            plugin=plugin,
        )

    found = host(carry["found"])
    kept = frame.track
    first = kept and (frame.minimum or frame.until == "success")  # max_loss compares the proposal in every row
    returned = settled(backend.select(carry["found"], carry["best"], proposal) if first else proposal)
    outputs = forward(backend.asarray(returned, problem.x.dtype))
    goal = KINDS[frame.goal](problem.goal.labels, backend.xp)
    margin = graded(goal, outputs, frame.outputs)
    success = host(margin) > 0
    if kept and not frame.minimum:
        # A row without success gives the better of its best candidate and its last proposal; max_loss always does.
        by_loss = frame.until == "max_loss" and not frame.hard
        final = host(training_loss(backend, outputs, frame.outputs, goal) if by_loss else margin)
        better = host(carry["merit"]) > final
        better &= ~success & ~found if frame.until == "success" else True
        rows = np.flatnonzero(better)
        if len(rows):
            returned[rows] = settled(carry["best"], rows)
            success = np.where(better, found, success)
    denied = int((found & ~success).sum()) if frame.until == "success" else 0
    distance, near = np.full(len(caller), np.inf), np.flatnonzero(success)
    if len(near):
        distance[near] = distances(frame.norm, frame.bounds, caller[near], returned[near])
    note = f"{denied} success(es) met on the way were denied by the last check (a tie at rounding) and count as failed"
    return Outcome(
        x_adv=backend.asarray(returned, problem.x.dtype),
        success=success,
        distance=distance,
        forward=host(carry["forward"]).astype(np.int64) + 2,
        backward=host(carry["backward"]).astype(np.int64),
        computed=host(carry["computed"]).astype(np.int64) - host(carry["forward"]),
        returned=returned,
        warnings=(note,) if denied else (),
    )
