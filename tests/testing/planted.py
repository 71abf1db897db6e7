"""Attacks that break one promise each, and one that breaks none."""

import sys
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen

from armour_core.fields import norm_field, positive_int


@frozen(kw_only=True)
class Honest:
    """Keeps every promise: random signs, kept where the margin rises."""

    norm: str = norm_field("linf", "l2")
    steps: int = positive_int(5)

    def start(self, p: Any, rng: Any) -> Any:
        return {"x": p.x, "margin": p.xp.full((p.x.shape[0],), -p.xp.inf, dtype=p.x.dtype)}

    def step(self, p: Any, state: Any, k: Any, rng: Any) -> Any:
        trial = p.inside(self.trial(p, state, k, rng))
        margin = p.margin(trial)
        better = margin > state["margin"]
        return {"x": p.where(better, trial, state["x"]), "margin": p.xp.where(better, margin, state["margin"])}

    def trial(self, p: Any, state: Any, k: Any, rng: Any) -> Any:
        draw = rng.uniform(p.x.shape)
        return state["x"] + p.eps * p.xp.astype(p.xp.where(draw < 0.5, p.xp.full_like(draw, -1.0), 1.0), p.x.dtype)

    def finish(self, p: Any, state: Any) -> Any:
        return state["x"]


PLANTED: dict[str, list[type]] = {}


def breaks(check: str) -> Any:
    """Note a class as the planted offender of a check."""

    def note(planted: type) -> type:
        PLANTED.setdefault(check, []).append(planted)
        return planted

    return note


@breaks("runs")
@frozen(kw_only=True)
class Raises(Honest):
    def trial(self, p, state, k, rng):
        raise RuntimeError("planted")


@breaks("runs")
@frozen(kw_only=True)
class ChangesItsState(Honest):
    def step(self, p, state, k, rng):
        return {**super().step(p, state, k, rng), "new": state["margin"]}


@breaks("within_bounds_and_ball")
@frozen(kw_only=True)
class LeavesTheBall(Honest):
    def finish(self, p, state):
        return p.x + 0.5 * (sum(p.bounds) / 2 - p.x)


@breaks("within_bounds_and_ball")
@frozen(kw_only=True)
class LeavesTheBounds(Honest):
    def finish(self, p, state):
        return state["x"] + 2 * (p.bounds[1] - p.bounds[0])


@breaks("finite")
@frozen(kw_only=True)
class ProposesNaN(Honest):
    def finish(self, p, state):
        return state["x"] * p.xp.nan


@breaks("shape_and_dtype")
@frozen(kw_only=True)
class ProposesAnotherShape(Honest):
    def finish(self, p, state):
        return state["x"][:, :1, ...]


@breaks("shape_and_dtype")
@frozen(kw_only=True)
class ProposesAnotherDtype(Honest):
    def finish(self, p, state):
        return p.xp.astype(state["x"], p.xp.float64)


@breaks("success_holds")
@frozen(kw_only=True)
class ClaimsWhatItDidNotAsk(Honest):
    """Says that outputs behind its view are the model's own."""

    def step(self, p, state, k, rng):
        if p.mask is not None:
            return super().step(p, state, k, rng)
        through = p.through(lambda x: p.xp.clip(x * 1.7, *p.bounds), exact=True)
        return super().step(_Instead(p, through), state, k, rng)


class _Instead:
    """A problem that is asked through another one."""

    def __init__(self, p, through):
        self._p, self.margin = p, through.margin

    def __getattr__(self, name):
        return getattr(self._p, name)


@breaks("keeps_mask")
@frozen(kw_only=True)
class IgnoresTheMask(Honest):
    norm: str = norm_field("linf")

    def step(self, p, state, k, rng):
        x, (low, high) = self.trial(p, state, k, rng), p.bounds
        trial = p.xp.clip(p.x + p.xp.clip(x - p.x, -p.eps, p.eps), low, high)
        margin = p.margin(trial)
        better = margin > state["margin"]
        return {"x": p.where(better, trial, state["x"]), "margin": p.xp.where(better, margin, state["margin"])}


@breaks("reaches_targets")
@frozen(kw_only=True)
class IgnoresTargets(Honest):
    """Its tags say that it has a targeted form."""

    def trial(self, p, state, k, rng):
        if p.goal.kind == "targeted":
            return p.x
        return super().trial(p, state, k, rng)


@breaks("leaves_inputs_and_model")
@frozen(kw_only=True)
class WritesIntoX(Honest):
    def finish(self, p, state):
        if p.mask is None:
            p.x[...] = np.nextafter(p.x, np.inf)
        return state["x"]


@breaks("leaves_inputs_and_model")
@frozen(kw_only=True)
class WritesIntoWeights(Honest):
    def finish(self, p, state):
        p.model.net.weights["offset"][0] += 1e-12
        return state["x"]


@breaks("leaves_inputs_and_model")
@frozen(kw_only=True, slots=False)
class Remembers(Honest):
    def finish(self, p, state):
        object.__setattr__(self, "last", len(state))
        return state["x"]


@breaks("leaves_generators")
@frozen(kw_only=True)
class DrawsFromNumpy(Honest):
    def trial(self, p, state, k, rng):
        np.random.random_sample()
        return super().trial(p, state, k, rng)


@breaks("stays_on_device")
@frozen(kw_only=True)
class Fetches(Honest):
    def trial(self, p, state, k, rng):
        p.backend.to_numpy(state["margin"])
        return super().trial(p, state, k, rng)


@breaks("stays_on_device")
@frozen(kw_only=True)
class FetchesAndHidesIt(Honest):
    def trial(self, p, state, k, rng):
        try:
            p.backend.to_numpy(state["margin"])
        except Exception:
            return super().trial(p, state, k, rng)
        return super().trial(p, state, k, rng)


@breaks("repeats")
@frozen(kw_only=True)
class DiffersTheSecondTime(Honest):
    """On the second visit of a model, and then never again."""

    visits: ClassVar[dict[int, list[Any]]] = {}

    def start(self, p, rng):
        self.visits.setdefault(id(p.model), [p.model]).append((float(p.eps), int(p.index[0])))
        return super().start(p, rng)

    def trial(self, p, state, k, rng):
        _, first, *later = self.visits[id(p.model)]
        second = len(later) == 1 and later[0] == first
        return super().trial(p, state, k, rng.fork("other") if second else rng)


@breaks("forgets_other_eps")
@frozen(kw_only=True)
class KeepsTheFirstEps(Honest):
    seen: ClassVar[dict[int, tuple[Any, Any]]] = {}

    def trial(self, p, state, k, rng):
        _, eps = self.seen.setdefault(id(p.model), (p.model, p.eps))
        x = super().trial(p, state, k, rng)
        return p.x + p.xp.clip(x - p.x, -eps, eps)


@breaks("same_in_any_batch")
@frozen(kw_only=True)
class MixesTheBatch(Honest):
    def start(self, p, rng):
        share = p.xp.tanh(p.xp.sum(p.x * p.x) / 40)
        x = p.inside(p.x + p.eps * share * p.norm.steepest(p.x))
        return {"x": x, "margin": p.margin(x)}


@breaks("same_in_any_order")
@frozen(kw_only=True)
class CountsPlaces(Honest):
    def start(self, p, rng):
        place = p.xp.astype(p.xp.arange(p.x.shape[0], dtype=p.xp.int32) % 3, p.x.dtype)
        x = p.inside(p.x + p.wide(place - 1.0) * p.eps / 2)
        return {"x": x, "margin": p.margin(x)}


@breaks("counts")
@frozen(kw_only=True)
class AsksBehindTheCounter(Honest):
    def trial(self, p, state, k, rng):
        if p.left is None:
            p.model.forward(state["x"])
        return super().trial(p, state, k, rng)


@breaks("keeps_budget")
@frozen(kw_only=True)
class OverdrawsItsBudget(Honest):
    def trial(self, p, state, k, rng):
        if p.left is not None:
            p.model.forward(state["x"])
        return super().trial(p, state, k, rng)


@breaks("attributes_sane")
@frozen(kw_only=True)
class TakesNoSteps(Honest):
    steps: int = field(default=0)


@breaks("attributes_sane")
@frozen(kw_only=True)
class CountsRoundsInHalves(Honest):
    rounds: ClassVar[float] = True


@breaks("refuses_other_norms")
@frozen(kw_only=True)
class RefusesANormOfItsTags(Honest):
    norm: str = norm_field("linf")


@breaks("round_trips")
@frozen(kw_only=True)
class HalvesItsSetting(Honest):
    share: float = field(default=8.0, converter=lambda v: v / 2)


@frozen(kw_only=True)
class FrozenByTracing(Honest):
    """Goes another way where it is traced: for TensorFlow."""

    def trial(self, p, state, k, rng):
        tf = sys.modules["tensorflow"]
        return super().trial(p, state, k, rng if tf.executing_eagerly() else rng.fork("traced"))


@frozen(kw_only=True)
class PrefersTorch(Honest):
    def trial(self, p, state, k, rng):
        return super().trial(p, state, k, rng.fork("t") if p.backend.name == "torch" else rng)


BY: dict[str, Any] = {
    "float": float,
    "bool": bool,
    "item": lambda t: t.item(),
    "numpy": lambda t: t.numpy(),
    "array": np.asarray,
}


def _method(how: str) -> Any:
    def trial(self, p, state, k, rng):
        first = p.xp.max(state["margin"])
        BY[how](first)
        return Honest.trial(self, p, state, k, rng)

    return frozen(kw_only=True)(type(f"FetchesBy{how.title()}", (Honest,), {"trial": trial, "__module__": __name__}))


FETCHING = {how: _method(how) for how in BY}
