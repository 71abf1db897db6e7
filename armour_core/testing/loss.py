"""What a loss promises: one number a row, its own, differentiable, and higher nearer to the goal."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from armour_core import registry
from armour_core.errors import ConfigError
from armour_core.goals import KINDS
from armour_core.protocols.backend import Backend
from armour_core.specs import Spec
from armour_core.testing.verdicts import NotJudged, expect

_ROWS, _CLASSES = 6, 5
_STEP = 1e-5  # of the central differences, in float64


class LossBench:
    """One loss on one backend, with logits, clean logits and labels."""

    def __init__(self, spec: Spec, backend: Backend, classes: int = _CLASSES) -> None:
        self.spec, self.backend, self.classes = spec, backend, classes
        draw = np.random.RandomState(5)
        self.logits = draw.normal(scale=2.0, size=(_ROWS, classes))
        self.clean = draw.normal(scale=2.0, size=(_ROWS, classes))
        self.labels = draw.randint(classes, size=_ROWS).astype(np.int32)
        self.clean[np.arange(_ROWS), self.labels] += 4.0

    @functools.cached_property
    def loss(self) -> Any:
        """The loss, with its own settings."""
        return registry.create(self.spec.kind, self.spec.id)

    @functools.cached_property
    def kinds(self) -> tuple[str, ...]:
        """The goals it serves: one that it does not is refused with a ConfigError."""
        served = []
        for kind in KINDS:
            try:
                self.values(kind, self.logits)
            except ConfigError:
                continue
            served.append(kind)
        expect(served, "it refuses both goals.")
        return tuple(served)

    def native(self, logits: np.ndarray, dtype: str = "float64") -> Any:
        """Logits as the backend's tensor."""
        return self.backend.asarray(np.array(logits), dtype)

    def call(self, kind: str, logits: Any, labels: np.ndarray | None = None, clean: np.ndarray | None = None) -> Any:
        """The loss of native logits."""
        labels = self.labels if labels is None else labels
        goal = KINDS[kind](self.backend.asarray(np.array(labels)), self.backend.xp)
        clean = self.clean if clean is None else clean
        return self.loss(logits, goal, backend=self.backend, clean=self.backend.asarray(np.array(clean), logits.dtype))

    def values(self, kind: str, logits: np.ndarray, **options: Any) -> np.ndarray:
        """The loss of logits, on the host."""
        return np.array(self.backend.to_numpy(self.call(kind, self.native(logits), **options)))


def one_number_a_row(bench: LossBench) -> None:
    """(N, C) -> (N,), finite, in the logits' dtype, for large and for equal logits too."""
    dtypes = ("float32", "float64")
    for kind in bench.kinds:
        for name, logits in (
            ("ordinary", bench.logits),
            ("large", bench.logits * 1e4),
            ("equal", np.zeros_like(bench.logits)),
        ):
            for dtype in dtypes:
                native = bench.native(logits, dtype)
                values = bench.call(kind, native)
                expect(
                    tuple(values.shape) == (_ROWS,),
                    f"{kind}: shape {tuple(values.shape)} came back for logits {logits.shape}: "
                    "one number a row, not a sum or a mean.",
                )
                expect(values.dtype == native.dtype, f"{kind}: {values.dtype} came back for logits of {native.dtype}.")
                bad = ~np.isfinite(bench.backend.to_numpy(values))
                expect(
                    not bad.any(),
                    f"{kind}: NaN or infinity in {int(bad.sum())} of {_ROWS} rows for {name} logits ({dtype}). "
                    "Subtract the largest logit before exponentials; add a small number to divisors.",
                )


def rows_are_independent(bench: LossBench) -> None:
    """A row's loss is the same alone, in company and in another order."""
    for kind in bench.kinds:
        whole = bench.values(kind, bench.logits)
        for rows in (np.arange(_ROWS)[::-1], np.array([2]), np.array([4, 1, 3])):
            part = bench.values(kind, bench.logits[rows], labels=bench.labels[rows], clean=bench.clean[rows])
            apart = float(abs(part - whole[rows]).max())
            expect(
                apart <= 1e-9 * (1 + float(abs(whole).max())),
                f"{kind}: the same rows in other company differ by {apart:.3g}. No mean, maximum or "
                "count over the batch.",
            )


def gradient_is_right(bench: LossBench) -> None:
    """The gradient of each row equals central differences, and is finite where logits are equal."""
    if "autodiff" not in bench.backend.capabilities:
        raise NotJudged("the backend has no gradients")
    if bench.backend.to_numpy(bench.native(bench.logits)).dtype != np.float64:  # JAX, unless it is told otherwise
        raise NotJudged("the backend has no float64 here, in which differences tell a gradient")
    for kind in bench.kinds:
        found = _gradient(bench, kind, bench.logits)
        differences = np.zeros_like(bench.logits)
        for column in range(bench.classes):
            offset = np.zeros_like(bench.logits)
            offset[:, column] = _STEP
            above, below = bench.values(kind, bench.logits + offset), bench.values(kind, bench.logits - offset)
            differences[:, column] = (above - below) / (2 * _STEP)
        apart = float(abs(found - differences).max())
        expect(
            apart <= 1e-5 * (1 + float(abs(differences).max())),
            f"{kind}: the gradient differs from central differences by {apart:.3g}. Stop no gradient that "
            "belongs to the loss, and round nothing.",
        )
        tied = _gradient(bench, kind, np.zeros_like(bench.logits))
        expect(
            np.isfinite(tied).all(),
            f"{kind}: where all logits are equal, the gradient is not finite: guard the divisor.",
        )


def _gradient(bench: LossBench, kind: str, logits: np.ndarray) -> np.ndarray:
    def total(z: Any) -> tuple[Any, None]:
        return bench.backend.xp.sum(bench.call(kind, z)), None

    _, gradient = bench.backend.value_and_grad(total)(bench.native(logits))
    return np.array(bench.backend.to_numpy(gradient))


def rises_with_success(bench: LossBench) -> None:
    """It is higher where the goal is met than where it is far away."""
    rows = np.arange(_ROWS)
    for kind in bench.kinds:
        far, met = np.zeros_like(bench.logits), np.zeros_like(bench.logits)
        other = (bench.labels + 1) % bench.classes
        far[rows, bench.labels if kind == "untargeted" else other] = 5.0
        met[rows, other if kind == "untargeted" else bench.labels] = 5.0
        low, high = bench.values(kind, far, clean=far), bench.values(kind, met, clean=far)
        wrong = int((high <= low).sum())
        expect(
            not wrong,
            f"{kind}: in {wrong} of {_ROWS} rows the loss is no higher where the goal is met than where it is "
            "far. It is climbed: higher is nearer to the goal, and for a target already negated.",
        )


def shifts_as_declared(bench: LossBench) -> None:
    """Adding one number to all logits of a row changes nothing, unless its tags say "shift-sensitive"."""
    if "shift-sensitive" in bench.spec.tags:
        raise NotJudged("its tags say 'shift-sensitive'")
    for kind in bench.kinds:
        before, after = bench.values(kind, bench.logits), bench.values(kind, bench.logits + 3.0)
        apart = float(abs(before - after).max())
        expect(
            apart <= 1e-6 * (1 + float(abs(before).max())),
            f"{kind}: adding 3 to all logits changes the loss by {apart:.3g}, though it changes no probability. "
            "Compare logits with each other; or say 'shift-sensitive' in the tags.",
        )


def fallback_is_said(bench: LossBench) -> None:
    """With two classes it works too; a loss that uses another rule there says so in `fallback`."""
    two = LossBench(bench.spec, bench.backend, classes=2)
    for kind in two.kinds:
        values = two.values(kind, two.logits)
        expect(np.isfinite(values).all(), f"{kind}: NaN or infinity with two classes.")
    fallback = getattr(bench.loss, "fallback", None)
    if fallback is not None:
        note = fallback(2, "untargeted")
        expect(note is None or (isinstance(note, str) and note), f"fallback returned {note!r}: a sentence, or None.")


CHECKS: tuple[Callable[[LossBench], None], ...] = (
    one_number_a_row,
    rows_are_independent,
    gradient_is_right,
    rises_with_success,
    shifts_as_declared,
    fallback_is_said,
)
