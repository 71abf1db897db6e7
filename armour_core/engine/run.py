"""Runs an attack over a data set: first predictions, eps ascending, stages, batches of what is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from armour_core import config, registry
from armour_core.data import check_labels
from armour_core.engine.code import compiled
from armour_core.engine.driver import drive, refuse_non_finite
from armour_core.engine.problem import UNTIL, Budget, Problem, as_budget
from armour_core.engine.state import describe
from armour_core.engine.verdict import Outcome
from armour_core.errors import ConfigError, DataError, MissingCapability
from armour_core.functional import span
from armour_core.goals import Goal, Targeted, Untargeted
from armour_core.protocols.backend import Array
from armour_core.protocols.model import Model
from armour_core.results import Queries, Result
from armour_core.specs import Spec

KEEP = ("all", "best", "none")


def run_attack(
    attack: Any,
    model: Model,
    x: Any,
    y: Any,
    *,
    eps: float | Sequence[float] | None = None,
    targets: Any = None,
    mask: Any = None,
    budget: Budget | int | None = None,
    seed: int = 0,
    batch_size: int = 128,
    until: str = "success",
    keep: str = "all",
    constraints: Sequence[Callable[[Array, Array], Array]] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Result:
    """Attack every sample that the model gets right, at every eps.

    attack: an attack, or its name; model: from `armour.wrap`; x: (N, ...) NumPy or native, in the model's layout and
    bounds; y: integer labels (N,); eps: a number, several, or None for the smallest perturbation; targets: classes (N,)
    to reach; mask: bool or 0/1, broadcastable to x, 1 = may change; budget: forward queries per sample, or a Budget;
    until: "success", or "max_loss" to attack all samples for the highest loss; keep: adversarials of "all" eps, of the
    "best" (smallest that works) alone, or "none"; progress(text, done, total): told after each batch.

    Raises ConfigError, DataError, MissingCapability before any work; ContractError where the attack broke its promise.
    """
    run = _Run(attack, model, eps, budget, seed, batch_size, until, keep, tuple(constraints), progress)
    about = {"attack": run.described, "norm": run.norm, "eps": run.eps, "seed": seed, "batch_size": batch_size}
    run.about = about
    registry.observe("armour_before_run", run=about)
    result = None
    try:
        result = run(x, y, targets, mask)
    finally:
        registry.observe("armour_after_run", run=about, result=result)
    return result


class _Run:
    """One call of `run_attack`."""

    def __init__(
        self,
        attack: Any,
        model: Model,
        eps: float | Sequence[float] | None,
        budget: Budget | int | None,
        seed: int,
        batch_size: int,
        until: str,
        keep: str,
        constraints: tuple[Callable[[Array, Array], Array], ...],
        progress: Callable[[str, int, int], None] | None,
    ):
        self.attack = registry.resolve("attack", attack)
        self.model, self.backend = as_model(model), as_model(model).backend
        self.budget, self.until, self.constraints = as_budget(budget), until, constraints
        self.seed, self.batch_size = whole("seed", seed, None), whole("batch_size", batch_size, 1)
        for name, value, known in (("keep", keep, KEEP), ("until", until, UNTIL)):
            if value not in known:
                raise ConfigError(f"{name}={value!r}. Choose one of: {', '.join(known)}.")
        self.keep = keep
        self.progress = progress or (lambda text, done, total: None)
        self.about: dict[str, Any] = {}
        self.name = describe(self.attack)
        self.minimum = bool(getattr(self.attack, "minimum", False))
        self.norm: str = getattr(self.attack, "norm", "linf")
        self.eps = check_eps(eps)
        if self.eps is None and not self.minimum:
            smallest = registry.list_plugins("attack", tags=("minimum-norm",))
            raise ConfigError(
                f"{self.name} works within a fixed budget and needs eps, such as eps=8/255; "
                f"for the smallest perturbation choose a minimum-norm attack: {_names(smallest)}."
            )
        check_needs(self.attack, self.model)
        spec, (identity, settings) = registry.spec_of(self.attack), config.configured_id(self.attack)
        self.described = {"id": identity, "revision": spec.revision if spec else None, "config": settings}

    def __call__(self, x: Any, y: Any, targets: Any, mask: Any) -> Result:
        began = time.perf_counter()
        self.native = self.backend.is_native(x)
        self.x: Array = self.model.admit(x)
        self.n: int = self.x.shape[0]
        self.warnings = [] if not self.model.local else list(self.model.examine(span(self.x, 0, self.batch_size)))
        self.y = check_labels(self._host(y), self.n, self.model.num_classes)
        self.targets = None
        if targets is not None:
            self.targets = check_labels(self._host(targets), self.n, self.model.num_classes, what="targets")
        self.mask = None if mask is None else check_mask(self._host(mask), tuple(self.x.shape))
        self.caller = self._caller(x)
        self.given = x
        self._first_predictions()
        self._note_fallback()
        if self.targets is not None and (own := int((self.targets == self.y).sum())):
            self.warnings.append(
                f"{own} target(s) are the label itself: met without a change, and counted as successes"
            )
        wrong = self.predicted_wrong if self.until == "success" else np.zeros(self.n, dtype=bool)
        rows = np.flatnonzero(~wrong)
        eps: list[Any] = [None] if self.eps is None else sorted(set(self.eps))
        found = (
            self._minimum_norm(rows, eps)
            if self.minimum
            else self._sweep(rows, [float(e) for e in eps if e is not None])
        )
        found &= ~self.predicted_wrong  # max_loss attacks these too, and they are no successes
        order = [0] if self.eps is None else [eps.index(e) for e in self.eps]
        return Result(
            attack=self.described,
            norm=self.norm,
            eps=self.eps,
            success=found[order],
            distance=np.where(self.predicted_wrong, 0.0, self.distance),
            initially_wrong=self.predicted_wrong,
            queries=Queries(forward=self.forward, backward=self.backward, computed=self.computed),
            seconds=time.perf_counter() - began,
            seed=self.seed,
            batch_size=self.batch_size,
            warnings=tuple(dict.fromkeys(self.warnings)),
            kept=None if self.keep == "none" else _Kept(self, order, found),
        )

    # ---- at the door
    def _host(self, x: Any) -> np.ndarray:
        return self.backend.to_numpy(x) if self.backend.is_native(x) else np.asarray(x)

    def _caller(self, x: Any) -> np.ndarray | None:
        """x as the caller gave it, where its dtype is not the model's: the result must hold in that one."""
        host = self._host(x)
        return None if host.dtype == self.backend.to_numpy(self.x[:1, ...]).dtype else host

    def _note_fallback(self) -> None:
        loss = getattr(self.attack, "loss", None)
        if isinstance(loss, str) and self.model.num_classes is not None:
            fallback = getattr(registry.load("loss", loss), "fallback", None)
            note = (
                fallback(self.model.num_classes, "untargeted" if self.targets is None else "targeted")
                if fallback
                else None
            )
            if note:
                self.warnings.append(note)

    def _first_predictions(self) -> None:
        clean: list[Array] = []
        wrong = []
        local, starts = self.model.local, range(0, self.n, self.batch_size)
        forward = compiled(self.model, ("forward",), lambda: self.model.forward) if local else self.model
        with self.model.running():
            for start in starts:
                outputs = forward(span(self.x, start, self.batch_size))
                refuse_non_finite(self.backend.to_numpy(outputs))
                if not clean and not local:  # looked at through these answers: nothing more is asked of it
                    self.warnings += self.model.examine(span(self.x, 0, self.batch_size), outputs)
                    check_labels(self.y, self.n, self.model.num_classes)
                labels = self.backend.asarray(self.y[start : start + self.batch_size].astype(np.int32))
                wrong.append(self.backend.to_numpy(Untargeted(labels, self.backend.xp).margin(outputs) > 0))
                clean.append(outputs)
        xp: Any = self.backend.xp
        self.outputs = clean[0] if len(clean) == 1 else xp.concat(clean, axis=0)
        self.predicted_wrong = np.concatenate(wrong)
        self.forward = np.ones(self.n, dtype=np.int64)
        self.backward, self.computed = np.zeros(self.n, dtype=np.int64), np.zeros(self.n, dtype=np.int64)
        self.distance = np.full(self.n, np.inf)
        self.found_at: list[np.ndarray] = []  # per eps: rows attacked there
        self.returned: list[np.ndarray] = []  # per eps: what came back for them

    # ---- the loops above a batch
    def _sweep(self, rows: np.ndarray, eps: list[float]) -> np.ndarray:
        """eps ascending; what is found is carried upward and leaves."""
        success = np.zeros((len(eps), self.n), dtype=bool)
        for k, value in enumerate(eps):
            if k:
                success[k] = success[k - 1]
                if self.until == "success":
                    rows = rows[~success[k, rows]]
            hit = self._stages(rows, value, None)
            if k and self.returned:
                self._carry_up(success[k, rows], hit)
            success[k, rows] |= hit
        return success

    def _carry_up(self, before: np.ndarray, hit: np.ndarray) -> None:
        """What came back at a smaller eps stays where it alone was a success; to keep the best, wherever it was one."""
        place = np.searchsorted(self.found_at[-2], self.found_at[-1])
        older, newer = self.returned[-2:]
        stays = before if self.keep == "best" else before & ~hit
        newer[stays] = older[place[stays]]
        if self.keep == "best":
            older[place] = newer
            del self.found_at[-1], self.returned[-1]

    def _minimum_norm(self, rows: np.ndarray, eps: list[Any]) -> np.ndarray:
        """One run serves every eps: a row is done once its best is within the smallest."""
        self._stages(rows, None, None if self.eps is None else min(self.eps))
        within = [np.isfinite(self.distance) if e is None else self.distance <= e for e in eps]
        return np.stack(within)

    def _stages(self, rows: np.ndarray, eps: float | None, enough: float | None) -> np.ndarray:
        """Every stage of a composite runs over what is left of the data set. Returns which of `rows` were found."""
        stages = self.attack.stages(self.norm) if hasattr(self.attack, "stages") else [self.attack]
        hit = np.zeros(len(rows), dtype=bool)
        returned = self._clean_copy(rows)
        for stage in stages:
            open_rows = np.flatnonzero(~hit) if self.until == "success" else np.arange(len(rows))
            open_rows = open_rows[self._can_pay(rows[open_rows], eps)]
            for start in range(0, len(open_rows), self.batch_size):
                places = open_rows[start : start + self.batch_size]
                outcome = self._batch(stage, rows[places], eps, enough)
                better = outcome.success | ~hit[places]
                hit[places] |= outcome.success
                if returned is not None and outcome.returned is not None:
                    returned[places[better]] = outcome.returned[better]
                done, total = min(start + self.batch_size, len(open_rows)), len(open_rows)
                self.progress(self._at(eps), done, total)
                registry.observe("armour_after_batch", run=self.about, done=done, total=total)
        if returned is not None:
            self.found_at.append(rows)
            self.returned.append(returned)
        return hit

    def _batch(self, stage: Any, rows: np.ndarray, eps: float | None, enough: float | None) -> Outcome:
        index = self.backend.asarray(rows.astype(np.int32))
        whole = len(rows) == self.n

        def take(values: Array) -> Array:
            return values if whole else self.backend.xp.take(values, index, axis=0)

        labels = self.backend.asarray((self.y if self.targets is None else self.targets)[rows].astype(np.int32))
        goal: Goal = (Untargeted if self.targets is None else Targeted)(labels, self.backend.xp)
        mask = self.mask
        if mask is not None and mask.ndim == self.x.ndim and mask.shape[0] == self.n and self.n > 1:
            mask = mask[rows]
        problem = Problem(
            model=self.model,
            x=take(self.x),
            goal=goal,
            norm=getattr(stage, "norm", self.norm),
            eps=eps,
            enough=enough,
            mask=None if mask is None else self.backend.asarray(mask),
            constraints=self.constraints,
            budget=self.budget,
            spent=(self.forward[rows] - 1).astype(np.int32),
            index=index,
            until=self.until,
            clean=take(self.outputs),
            caller=None if self.caller is None else self.caller[rows],
            row_limit=self.batch_size,
        )
        outcome = drive(stage, problem, self.backend.rng(self.seed))
        self.forward[rows] += outcome.forward - 1  # the first prediction is booked once
        self.backward[rows] += outcome.backward
        self.computed[rows] += outcome.computed
        closer = np.where(outcome.success, np.minimum(self.distance[rows], outcome.distance), self.distance[rows])
        self.distance[rows] = closer
        self.warnings.extend(outcome.warnings)
        return outcome

    def _can_pay(self, rows: np.ndarray, eps: float | None) -> np.ndarray:
        """Which rows can still pay for a question and the last check, of a budget that covers all eps and stages."""
        if self.budget is None or self.budget.queries is None:
            return np.ones(len(rows), dtype=bool)
        able = self.forward[rows] + 1 <= self.budget.queries
        if not able.all():
            at = "" if eps is None else f" at eps {eps:.4g}"
            self.warnings.append(f"{int((~able).sum())} sample(s) had no queries left{at} and were not attacked there")
        return np.asarray(able)

    def _clean_copy(self, rows: np.ndarray) -> np.ndarray | None:
        if self.keep == "none":
            return None
        source = self._host(self.given)
        return np.array(source[rows])

    def _at(self, eps: float | None) -> str:
        return self.name if eps is None else f"{self.name} at eps {eps:.4g}"


class _Kept:
    """Adversarials by eps: what was found at a smaller eps is carried upward."""

    def __init__(self, run: _Run, order: list[int], success: np.ndarray):
        """success: bool (K, N), by eps ascending."""
        self._clean = np.array(run._host(run.given))  # a copy: what the caller does to x later is his
        self._dtype = run.given.dtype if run.native else None
        self._backend, self._rows, self._returned, self._order = run.backend, run.found_at, run.returned, order
        # One run answers every eps of a minimum-norm attack: what lies outside the ball of one is not returned for it.
        self._within = success if run.minimum and run.eps is not None else None

    def __call__(self, k: int) -> Any:
        if not -len(self._order) <= k < len(self._order):
            raise ConfigError(f"x_adv({k}): this result has {len(self._order)} eps, counted from 0.")
        last, x = min(self._order[k], len(self._rows) - 1), self._clean.copy()
        for rows, returned in zip(self._rows[: last + 1], self._returned[: last + 1]):
            within = slice(None) if self._within is None else self._within[self._order[k], rows]
            x[rows[within]] = returned[within]
        return x if self._dtype is None else self._backend.asarray(x, self._dtype)


def as_model(model: Any) -> Model:
    """`model`, or a ConfigError that says how to make one."""
    if not hasattr(model, "backend") or not hasattr(model, "running"):
        raise ConfigError(f"model is a {type(model).__name__}: wrap it first, model = armour.wrap(net, bounds=(0, 1)).")
    return model  # type: ignore[no-any-return]


def whole(name: str, value: Any, least: int | None) -> int:
    """An int of at least `least`. Raises ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or (least is not None and value < least):
        raise ConfigError(f"{name}={value!r}. Give a whole number{'' if least is None else f' of at least {least}'}.")
    return int(value)


def check_eps(eps: Any) -> tuple[float, ...] | None:
    """eps as a tuple of floats in the units of x, or None. Raises ConfigError for what is no size of a perturbation."""
    if eps is None:
        return None
    try:
        given = np.asarray(eps)
        values = given.astype(np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"eps={eps!r}. Give a number, a list of numbers, or None.") from None
    if given.dtype.kind not in "iuf" and given.size:
        raise ConfigError(f"eps={eps!r}. Give a number, a list of numbers, or None.")
    if values.ndim > 1 or values.size == 0:
        raise ConfigError(f"eps has shape {values.shape}. Give a number, or a list of at least one number.")
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ConfigError(f"eps={eps!r}. Each eps is a finite number of at least 0, in the units of x.")
    return tuple(float(v) for v in values.reshape(-1))


def check_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """bool, broadcastable to x. Raises DataError."""
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise DataError(f"mask holds other values than 0 and 1 (dtype {mask.dtype}): 1 = may change, 0 = stays.")
    try:
        if np.broadcast_shapes(mask.shape, shape) != shape:
            raise ValueError
    except ValueError:
        raise DataError(f"mask of shape {mask.shape} does not broadcast to x of shape {shape}.") from None
    return mask.astype(bool).reshape((1,) * (len(shape) - mask.ndim) + mask.shape)


def check_needs(attack: Any, model: Model) -> None:
    """Refuse before any work what the model or backend cannot offer. Raises MissingCapability."""
    spec = registry.spec_of(attack)
    if spec is None:
        return
    missing = sorted(spec.needs - set(model.capabilities))
    if missing:
        able = [s for s in registry.list_plugins("attack") if s.needs <= set(model.capabilities)]
        offered = ", ".join(sorted(model.capabilities)) or "nothing"
        raise MissingCapability(
            f"{spec.id} needs {', '.join(missing)}; model {model.name!r} offers {offered}. "
            f"Attacks that can run on it: {_names(able)}."
        )


def _names(specs: Sequence[Spec]) -> str:
    return ", ".join(spec.name for spec in specs) or "none"
