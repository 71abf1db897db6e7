"""Runs one attack over one batch: rounds of chunks of steps over the rows that are left, then the last check.

The driver owns everything that is not the attack's idea. Compiled code takes dicts of tensors: the carry (the books,
and the attack's state beside them), the rows, and what all rows share; all else is in its key.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from armour_core import norms
from armour_core.engine.books import opened
from armour_core.engine.code import STATE, Code
from armour_core.engine.problem import Frame, Problem
from armour_core.engine.rows import Batch, Part, Rows
from armour_core.engine.verdict import Outcome, checked
from armour_core.errors import ConfigError, ContractError, DataError
from armour_core.protocols.backend import Array
from armour_core.rng import Rng

_CHUNK = 10  # steps between two looks at who is left


def drive(
    attack: Any,
    problem: Problem,
    rng: Rng,
    *,
    check: bool = True,
    track: bool = True,
    after_chunk: Callable[[int], None] | None = None,
) -> Outcome:
    """Run `attack` on one batch.

    check=False, track=False is for adversarial training: no first prediction, no last check, no best iterate, no
    transfer to the host; every row is attacked, and what `finish` proposes is returned. after_chunk is told how many
    rows are left. Raises ContractError, DataError, MissingCapability.
    """
    return _Drive(attack, problem, rng, check, track, after_chunk or (lambda live: None)).run()


def frame_of(attack: Any, problem: Problem, track: bool = True) -> Frame:
    """What is static in a problem for this attack."""
    model = problem.model
    minimum = bool(getattr(attack, "minimum", False))
    python = not hasattr(attack, "step") or not getattr(attack, "traceable", True)
    return Frame(
        goal=problem.goal.kind,
        norm=problem.norm,
        until=problem.until,
        bounds=model.bounds,
        outputs=model.outputs,
        num_classes=model.num_classes,
        channel_axis=model.channel_axis,
        minimum=minimum,
        wide_eps=getattr(problem.eps, "ndim", 0) > 0,
        masked=problem.mask is not None,
        counted=problem.budget is not None and problem.budget.queries is not None,
        enough=minimum and problem.enough is not None,
        constraints=problem.constraints,
        track=track,
        exact=python or not model.local,
        row_limit=problem.row_limit or problem.x.shape[0],
    )


class _Drive:
    """One batch under way."""

    def __init__(
        self,
        attack: Any,
        problem: Problem,
        rng: Rng,
        check: bool,
        track: bool,
        after_chunk: Callable[[int], None],
    ):
        self.attack, self.problem, self.stream, self.check, self.after_chunk = attack, problem, rng, check, after_chunk
        self.backend = problem.model.backend
        self.xp: Any = self.backend.xp
        self.n: int = problem.x.shape[0]
        self.frame = frame_of(attack, problem, track)
        self.code = Code(attack, self.frame, problem.model, tuple(problem.x.shape[1:]))
        self.rows, self.shared = self._tensors()

    def run(self) -> Outcome:
        with self.problem.model.running():
            batch = Batch(self.backend, self._opened(), self.rows)
            never = batch.carry["over"]  # rows that the attack does not see
            if hasattr(self.attack, "step"):
                self._rounds(batch)
                view, state = self.code.view(batch.carry, self.rows, self.shared)
                proposal = self._proposed(self.attack.finish(view, state)) if state else self.problem.x
                if state and self.check:  # where it has no state, it has nothing to propose
                    proposal = self.backend.select(never, self.problem.x, proposal)
            else:
                proposal = self._whole(batch)
            if self.check:
                return checked(self.problem, self.frame, batch.carry, proposal, self.code.forward, self.code.name)
            return self._unchecked(batch.carry, proposal)

    # ---- the beginning
    def _tensors(self) -> tuple[Rows, Rows]:
        """Tensors with a row per sample, and those that all rows share."""
        problem, xp, asarray = self.problem, self.xp, self.backend.asarray
        x = problem.x
        index = np.arange(self.n, dtype=np.int32) if problem.index is None else problem.index
        rows = {"x": x, "labels": problem.goal.labels, "index": asarray(index)}
        shared: Rows = {}
        if problem.eps is not None and not self.frame.minimum:
            eps = asarray(problem.eps, x.dtype)
            if self.frame.wide_eps:
                rows["eps"] = xp.reshape(eps, (self.n,) + (1,) * (x.ndim - 1))
            else:
                shared["eps"] = eps
        if self.frame.enough:
            rows["enough"] = xp.zeros((self.n,), dtype=x.dtype) + asarray(problem.enough, x.dtype)
        if problem.mask is not None:
            mask = asarray(problem.mask)
            per_row = mask.ndim == x.ndim and mask.shape[0] == self.n
            (rows if per_row else shared)["mask"] = mask
        eps = rows.get("eps", shared.get("eps"))
        norm = norms.bind(problem.norm, xp, self.frame.bounds, rows.get("mask", shared.get("mask")))
        corridor = None if eps is None else norm.corridor(x, eps)
        if corridor is not None:  # found once, not in every step
            rows["low"], rows["high"] = corridor
        return rows, shared

    def _opened(self) -> Rows:
        """Books before the first step; rows whose goal is met already are found, and asked for no more."""
        xp, problem, frame = self.xp, self.problem, self.frame
        left = None
        if frame.counted:
            queries = problem.budget.queries - 2  # type: ignore[union-attr, operator]  # first prediction, last check
            spent = np.zeros(self.n, dtype=np.int32) if problem.spent is None else problem.spent
            left = self.backend.asarray((queries - spent).astype(np.int32))
        carry = opened(frame, self.backend, problem.x, left)
        clean = problem.clean
        if clean is None and self.check:
            clean = self.code.forward(problem.x)
            refuse_non_finite(self.backend.to_numpy(clean))
        if clean is None and (frame.exact or frame.counted):
            raise ConfigError(
                f"{self.code.name} answers for rows that are not sent with the clean prediction, and check=False makes "
                "none: give Problem(clean=model(x))."
            )
        if clean is None:
            return carry
        self.rows["clean"] = clean
        if problem.until == "success":
            met = type(problem.goal)(problem.goal.labels, xp).margin(clean) > 0
            carry |= {"found": met, "over": met}
            if "dist" in carry:
                carry["dist"] = xp.where(met, xp.zeros_like(carry["dist"]), carry["dist"])
        if left is not None:
            carry["over"] = carry["over"] | (left <= 0)
        return carry

    # ---- rounds of chunks of steps
    def _rounds(self, batch: Batch) -> None:
        budget = self.problem.budget
        left = budget.steps if budget and budget.steps else None
        deadline = time.monotonic() + budget.seconds if budget and budget.seconds else None
        for r in range(getattr(self.attack, "rounds", 1)):
            live = self._live(batch.carry["over"])
            if len(live) == 0 or left == 0:
                return
            steps = self.attack.steps if left is None else min(self.attack.steps, left)
            part = batch.take(live, self.code.pace.rows_for(len(live), steps))
            part.carry = self.code.open(part.carry, part.rows, self._shared(r), r)
            self._steps(batch, part, r, steps, deadline)
            left = None if left is None else left - steps  # whoever rested earlier: rows do not depend on one another
            if deadline is not None and time.monotonic() > deadline:
                return

    def _steps(self, batch: Batch, part: Part, r: int, steps: int, deadline: float | None) -> None:
        """Up to `steps` steps of one round; rows that end early are put back and left behind."""
        k, chunk, shared, pace = 0, 2 if self.backend.static_shapes else 1, self._shared(r), self.code.pace
        while k < steps:
            n = min(1 if self.frame.exact else chunk if self.check else steps, steps - k)
            began = time.perf_counter()
            part.carry = self.code.steps(part.carry, part.rows, shared, k, n)
            k, chunk = k + n, min(2 * chunk, _CHUNK)
            if deadline is not None and time.monotonic() > deadline:
                break
            if self.check and k < steps:
                done = part.carry.get(STATE + "done")
                live = self._live(part.carry["over"] if done is None else part.carry["over"] | done)
                pace.note(part.size, n, time.perf_counter() - began)  # reading `live` has waited for the device
                self.after_chunk(len(live))
                if len(live) == 0:
                    break
                size = pace.rows_for(len(live), steps - k, part.size)
                if size < part.size:
                    batch.put(part)
                    part = batch.take(part.place[live], size)
        batch.put(part)

    def _live(self, over: Array) -> np.ndarray:
        """Rows that are not over. The one thing read from the device between chunks; without a check nothing is."""
        return np.flatnonzero(~self.backend.to_numpy(over)) if self.check else np.arange(over.shape[0])

    def _shared(self, r: int) -> Rows:
        return {**self.shared, "key": self.stream.fork("round").at(r).key}

    # ---- the end
    def _whole(self, batch: Batch) -> Array:
        """An attack that is one function: `run(problem, rng) -> x_adv`."""
        if len(self._live(batch.carry["over"])) == 0:
            return self.problem.x
        shared = self._shared(0)
        view, _ = self.code.view(batch.carry, self.rows, shared)
        proposal = self._proposed(self.attack.run(view, self.code.rng(self.rows, shared)))
        batch.carry = view.books.close()
        return proposal

    def _proposed(self, proposal: Any) -> Array:
        shape, wanted = getattr(proposal, "shape", None), tuple(self.problem.x.shape)
        if shape is None or tuple(shape) != wanted:
            found = type(proposal).__name__ if shape is None else f"shape {tuple(shape)}"
            raise ContractError(
                f"{self.code.name} returned {found} for a batch of shape {wanted}: return one row per sample, like x."
            )
        return self.xp.astype(proposal, self.problem.x.dtype)

    def _unchecked(self, carry: Rows, proposal: Array) -> Outcome:
        size = norms.bind(self.frame.norm, self.xp, self.frame.bounds).size
        books = {key: carry[key] for key in ("forward", "backward")} | {
            "computed": carry["computed"] - carry["forward"]
        }
        proposal = self.backend.stop_gradient(proposal)
        return Outcome(x_adv=proposal, success=carry["found"], distance=size(proposal - self.problem.x), **books)


def refuse_non_finite(outputs: np.ndarray) -> None:
    """Raises DataError where the model's answers on clean data are NaN or infinite."""
    bad = np.asarray(~np.isfinite(outputs.astype(np.float64)).reshape(len(outputs), -1).all(axis=1))
    if bad.any():
        raise DataError(
            f"the model's outputs are NaN or infinite on {int(bad.sum())} of {len(bad)} clean samples "
            f"(the first is row {int(np.flatnonzero(bad)[0])}): check its weights and the preprocessing."
        )


__all__ = ("Outcome", "drive", "frame_of", "refuse_non_finite")
