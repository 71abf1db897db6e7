"""What an attack hands back: inside bounds and ball, finite, like x, and a success where it says so."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from armour_core.engine.settle import distances
from armour_core.results import Result
from armour_core.testing.bench import Bench
from armour_core.testing.guards import Watched
from armour_core.testing.verdicts import Broken, NotJudged, expect

_DENIED = "denied by the last check"


def runs(bench: Bench) -> None:
    """It runs to its end, and keeps the contract's forms."""
    bench.result("runs")


def finite(bench: Bench) -> None:
    """No NaN, no infinity."""
    x = np.asarray(bench.result("finite").x_adv(0))
    bad = ~np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    expect(not bad.any(), f"NaN or infinity in {int(bad.sum())} of {len(x)} adversarials: look for divisions by 0.")


def shape_and_dtype(bench: Bench) -> None:
    """Shape and dtype of x, in what `finish` or `run` returns too."""
    result = bench.result("shape_and_dtype")
    returned: list[tuple[tuple[int, ...], str]] = []
    x = np.asarray(result.x_adv(0))
    expect(
        x.shape == bench.data.x.shape and x.dtype == bench.data.x.dtype,
        f"{x.dtype} {x.shape} came back for {bench.data.x.dtype} {bench.data.x.shape}: return a tensor like p.x.",
    )
    model = bench.model(bench.eager, dtype="float32")
    bench.run(model, attack=_Noted(bench.attack, returned))
    wanted = str(np.dtype("float32"))
    for shape, dtype in returned:
        expect(
            dtype.endswith(wanted) and shape[1:] == bench.data.x.shape[1:],
            f"what was proposed is {dtype} {shape} for float32 {bench.data.x.shape}: return a tensor like p.x, with "
            "xp.astype(..., p.x.dtype) where a draw or a constant has another dtype.",
        )


class _Noted(Watched):
    """An attack whose proposals are noted."""

    def __init__(self, attack: Any, returned: list[tuple[tuple[int, ...], str]]) -> None:
        super().__init__(attack, contextlib.nullcontext)
        self._returned = returned

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if name == "stages":
            return lambda norm: [_Noted(stage, self._returned) for stage in self._attack.stages(norm)]
        if name not in ("finish", "run"):
            return value

        def noted(*arguments: Any) -> Any:
            x = value(*arguments)
            dtype = getattr(x.dtype, "name", None) or str(x.dtype)
            self._returned.append((tuple(x.shape), dtype))
            return x

        return noted


def within_bounds_and_ball(bench: Bench) -> None:
    """Every adversarial is inside the bounds, and inside the ball of an attack that was given one."""
    result = bench.result("within_bounds_and_ball")
    _inside(bench, np.asarray(result.x_adv(0)), bench.data.x, bench.setup.eps, result.success[0])


def _inside(bench: Bench, x: np.ndarray, clean: np.ndarray, eps: float, success: np.ndarray) -> None:
    low, high = bench.setup.bounds
    x64 = x.astype(np.float64)
    beyond = np.maximum(low - x64, x64 - high).reshape(len(x), -1).max(axis=1)
    expect(
        (beyond <= 0).all(),
        f"{int((beyond > 0).sum())} of {len(x)} adversarials left the bounds {bench.setup.bounds} by up to "
        f"{beyond.max():.3g}: bring points back with p.inside.",
    )
    size = distances(bench.setup.norm, bench.setup.bounds, clean, x)
    judged = success if bench.minimum else np.ones(len(x), dtype=bool)
    excess = np.where(judged, size - eps * (1 + 1e-9), 0.0)
    expect(
        (excess <= 0).all(),
        f"{int((excess > 0).sum())} of {len(x)} adversarials left the {bench.setup.norm} ball of {eps:.4g} by up to "
        f"{excess.max():.3g}: bring points back with p.inside.",
    )


def success_holds(bench: Bench) -> None:
    """A claimed success is one for a model of its own, asked plainly; none that was met on the way is denied."""
    result = bench.result("success_holds")
    predicted = _predicted(bench, np.asarray(result.x_adv(0)))
    false = result.success[0] & (predicted == bench.data.y)
    expect(
        not false.any(),
        f"{int(false.sum())} of {int(result.success.sum())} successes are predicted as their label by a fresh model.",
    )
    denied = [note for note in result.warnings if _DENIED in note]
    expect(
        not denied,
        f"{denied and denied[0]}. In float64 that is no tie: what was asked is not what is kept. Ask points that "
        "p.inside has seen, and never change a tensor in place.",
    )


def _predicted(bench: Bench, x: np.ndarray) -> np.ndarray:
    outputs: np.ndarray = bench.backend.to_numpy(bench.model(bench.eager)(x))
    labels: np.ndarray = outputs.argmax(axis=1)
    return labels


def leaves_wrong_samples(bench: Bench) -> None:
    """A sample that the model gets wrong before the attack is not attacked."""
    result = bench.result("leaves_wrong_samples")
    wrong = np.flatnonzero(bench.data.predicted != bench.data.y)
    if not len(wrong):
        raise NotJudged("no sample is wrong in this setup")
    x = np.asarray(result.x_adv(0))
    expect(
        np.array_equal(result.initially_wrong.nonzero()[0], wrong), "initially_wrong does not name the wrong samples."
    )
    expect(
        x[wrong].tobytes() == bench.data.x[wrong].tobytes(), "samples that were wrong before the attack were changed."
    )
    expect(not result.success[0][wrong].any(), "samples that were wrong before the attack count as its successes.")
    expect(
        (result.distance[wrong] == 0).all(), "samples that were wrong before the attack have a distance other than 0."
    )
    asked = result.queries.forward[wrong]
    expect((asked == 1).all(), f"samples that were wrong before the attack cost {asked.tolist()} queries; 1 is due.")


def grows_with_eps(bench: Bench) -> None:
    """What succeeds at one eps succeeds at every larger one, and each adversarial is in the ball of its own eps."""
    bench.result("grows_with_eps")
    sizes = [bench.setup.eps * factor for factor in (2.0, 0.5, 1.0)]
    result = bench.run(bench.model(bench.eager), eps=sizes)
    order = np.argsort(sizes)
    lost = result.success[order][:-1] & ~result.success[order][1:]
    expect(not lost.any(), f"{int(lost.sum())} successes at one eps are none at the next larger one.")
    for k, eps in enumerate(sizes):
        _inside(bench, np.asarray(result.x_adv(k)), bench.data.x, eps, result.success[k])


def keeps_mask(bench: Bench) -> None:
    """Elements that the mask excludes are bit-equal to x, in what is returned and in what is asked."""
    bench.result("keeps_mask")
    shape = bench.data.x.shape[1:]
    mask = np.random.RandomState(3).random_sample(shape) < 0.6
    masks = [mask]
    if bench.level == "full":
        masks.append(np.random.RandomState(4).random_sample(bench.data.x.shape) < 0.6)
    for mask in masks:
        result = bench.run(bench.model(bench.eager), mask=mask, eps=2 * bench.setup.eps)
        x, keep = np.asarray(result.x_adv(0)), ~np.broadcast_to(mask, bench.data.x.shape)
        changed = int((x[keep] != bench.data.x[keep]).sum())
        expect(not changed, f"{changed} elements changed that the mask excludes: bring points back with p.inside.")
        denied = [note for note in result.warnings if _DENIED in note]
        expect(
            not denied,
            f"with a mask, {denied and denied[0]}: points were asked in which excluded elements had changed. "
            "Bring points back with p.inside before asking.",
        )


def keeps_dtype(bench: Bench) -> None:
    """float64 and float16 data on a float32 model come back in their dtype, inside bounds and ball as stored."""
    bench.result("keeps_dtype")
    model = bench.model(bench.eager, dtype="float32")
    for dtype in ("float64", "float16") if hasattr(bench.backend.xp, "float16") else ("float64",):
        x = bench.data.x.astype(dtype)
        result = bench.run(model, x=np.array(x))
        found = np.asarray(result.x_adv(0))
        expect(found.dtype == x.dtype, f"{found.dtype} came back for {dtype} data on a float32 model.")
        try:
            _inside(bench, found, x, bench.setup.eps, result.success[0])
        except Broken as broken:
            raise Broken(f"with {dtype} data on a float32 model, {broken}") from None


def reaches_targets(bench: Bench) -> None:
    """Where the tags say "targeted": a target is reached, and a success is one only where it is."""
    if "targeted" not in bench.spec.tags:
        raise NotJudged("its tags do not say 'targeted'")
    bench.result("reaches_targets")
    result: Result = bench.run(bench.model(bench.eager), targets=bench.data.targets, eps=4 * bench.setup.eps)
    predicted = _predicted(bench, np.asarray(result.x_adv(0)))
    missed = result.success[0] & (predicted != bench.data.targets)
    expect(not missed.any(), f"{int(missed.sum())} targeted successes are predicted as another class than the target.")
    expect(
        result.success.any(),
        f"with targets, none of {len(bench.data.right)} samples reached the second class of its own prediction within "
        f"{4 * bench.setup.eps:.3g} ({bench.setup.norm}). Climb p.grad's loss, or p.margin, which follow the goal; or "
        "leave 'targeted' out of the tags.",
    )
