"""One attack on one backend and one setup: the runs that checks are read from, made once."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
from attrs import frozen

from armour_core import config, registry
from armour_core.engine.run import run_attack
from armour_core.errors import ConfigError, ContractError
from armour_core.protocols.backend import Backend
from armour_core.results import Result
from armour_core.specs import Spec
from armour_core.testing.guards import Eager, generators, traceable
from armour_core.testing.reference import Setup
from armour_core.testing.verdicts import Broken, NotJudged, expect

MOST = {"quick": {"steps": 6, "rounds": 2}, "full": {"steps": 20, "rounds": 3}}
"""What is asked of an attack at most, unless the caller says otherwise: the promises do not depend on it."""

_OF_CHECK = (
    (r"left the ", "within_bounds_and_ball"),
    (r"NaN or infinity", "finite"),
    (r"returned (shape|a|\w+) .*for a batch of shape", "shape_and_dtype"),
)
"""Which check a ContractError of the engine belongs to; all others belong to `runs`."""


@frozen(kw_only=True, eq=False)
class Watch:
    """What was as it is before a run."""

    x: bytes
    y: bytes
    weights: dict[str, bytes]
    settings: dict[str, Any]
    generators: dict[str, Any]


@frozen(kw_only=True, eq=False)
class Base:
    """The run that most checks read: the backend as it is, one batch, float64 where the backend has it."""

    model: Any
    attack: Any
    result: Result | None
    error: Exception | None
    before: Watch
    after: Watch


class Bench:
    """Runs of one attack. Each is made when a check first asks for it."""

    def __init__(
        self,
        spec: Spec,
        backend: Backend,
        setup: Setup,
        level: str = "quick",
        settings: Mapping[str, Any] | None = None,
        most: Mapping[str, int] | None = None,
        switch: bool = False,
    ) -> None:
        """settings: of the attack, in place of those that the level chooses; most: what is asked of it at most; switch:
        whether to turn on a compiler that is off by default, which costs seconds for each shape.
        """
        self.switch = switch
        self.spec, self.backend, self.setup, self.level = spec, backend, setup, level
        self.eager: Any = Eager(backend)
        self.data = setup.data
        self._settings, self._most = dict(settings or {}), dict(most or MOST[level])

    # ---- what it is about

    @functools.cached_property
    def attack(self) -> Any:
        """The attack, with few steps."""
        return self.made()

    def made(self) -> Any:
        """The attack, made anew."""
        attack = registry.create(self.spec.kind, self.spec.id, **{"norm": self.setup.norm, **self._settings})
        for key, most in self._most.items():
            if key not in self._settings and attrs.has(type(attack)):
                attack = _at_most(attack, key, most)
        return attack

    @functools.cached_property
    def dtype(self) -> str:
        """float64 where the backend has it: rounding then hides nothing."""
        return str(self.backend.to_numpy(self.backend.asarray(np.zeros(1), "float64")).dtype)

    @property
    def tolerance(self) -> float:
        """How far runs that should be the same may lie apart, in the units of x."""
        low, high = self.setup.bounds
        return (1e-6 if self.dtype == "float64" else 1e-4) * (high - low)

    @property
    def by_label(self) -> bool:
        """Whether the attack asks for labels only: a label that flips at rounding sends it another way."""
        return not self.spec.needs & {"autodiff", "scores"}

    @property
    def minimum(self) -> bool:
        """Whether it looks for the smallest perturbation."""
        return bool(getattr(self.attack, "minimum", False))

    @property
    def traceable(self) -> bool:
        """Whether its steps (or its stages') are compiled, and so may fetch nothing."""
        return traceable(self.attack) or hasattr(self.attack, "stages")

    # ---- runs

    def model(self, backend: Any = None, **options: Any) -> Any:
        """A reference model of its own."""
        return self.setup.model(backend or self.backend, **{"dtype": self.dtype, **options})

    def run(self, model: Any, *, attack: Any = None, x: np.ndarray | None = None, **options: Any) -> Result:
        """run_attack on this setup's data."""
        options = {"eps": self.setup.eps, "batch_size": self.setup.rows, **options}
        data = self.data
        return run_attack(attack or self.attack, model, np.array(data.x) if x is None else x, data.y, **options)

    @functools.cached_property
    def base(self) -> Base:
        """The run that most checks read, with all that it must leave alone looked at before and after."""
        model, attack = self.model(), self.attack
        x, y = np.array(self.data.x), np.array(self.data.y)
        model.examine(model.admit(x))  # what looking at a new model costs is not the attack's
        before, result, error = self._watch(x, y, model), None, None
        try:
            result = run_attack(attack, model, x, y, eps=self.setup.eps, batch_size=self.setup.rows)
        except Exception as raised:  # whatever a plugin raises is what the check `runs` tells
            error = raised
        after = self._watch(x, y, model)
        return Base(model=model, attack=attack, result=result, error=error, before=before, after=after)

    def result(self, check: str) -> Result:
        """Of the base run. Raises Broken where its error is this check's own, NotJudged where it is another's."""
        base = self.base
        if base.result is not None:
            return base.result
        owner = next((name for pattern, name in _OF_CHECK if _matches(pattern, base.error)), "runs")
        if owner == check:
            raise Broken(f"{type(base.error).__name__}: {base.error}") from base.error
        raise NotJudged(f"the run ended in an error, which the check {owner!r} tells")

    @functools.cached_property
    def calm(self) -> Result:
        """The base run with nothing compiled."""
        return self.run(self.model(self.eager))

    # ---- comparing

    def same(self, a: Result, b: Result, how: str, advice: str, rows: np.ndarray | None = None) -> None:
        """Raise Broken where two runs that should be the same are not. rows: which of each to compare."""
        every = np.arange(self.setup.rows) if rows is None else rows
        found = a.success[0][every], b.success[0][every]
        expect(
            np.array_equal(*found),
            f"{how}, {int((found[0] != found[1]).sum())} of {len(every)} samples differ in success. {advice}",
        )
        for key in ("forward", "backward"):
            asked = getattr(a.queries, key)[every], getattr(b.queries, key)[every]
            expect(
                np.array_equal(*asked),
                f"{how}, the {key} counts differ: {asked[0].tolist()} against {asked[1].tolist()}. {advice}",
            )
        self._near(a, b, every, how, advice)

    def _near(self, a: Result, b: Result, every: np.ndarray, how: str, advice: str) -> None:
        met = a.success[0] & np.isin(np.arange(self.setup.rows), every)
        far = a.distance[met], b.distance[met]
        if self.by_label:
            if met.any():
                apart = abs(far[0].mean() - far[1].mean()) / max(far[0].mean(), 1e-12)
                expect(apart <= 0.05, f"{how}, the mean distance differs by {apart:.1%}. {advice}")
            return
        size = max(1.0, float(np.prod(self.data.x.shape[1:]) ** {"l1": 1.0, "l2": 0.5}.get(self.setup.norm, 0.0)))
        apart = float(abs(far[0] - far[1]).max(initial=0.0))
        expect(
            apart <= self.tolerance * size,
            f"{how}, distances differ by up to {apart:.3g}, where rounding explains "
            f"{self.tolerance * size:.1g}. {advice}",
        )
        apart = float(abs(np.asarray(a.x_adv(0))[every] - np.asarray(b.x_adv(0))[every]).max(initial=0.0))
        expect(
            apart <= 10 * self.tolerance,
            f"{how}, adversarials differ by up to {apart:.3g}, where rounding explains "
            f"{10 * self.tolerance:.1g}. {advice}",
        )

    def _watch(self, x: np.ndarray, y: np.ndarray, model: Any) -> Watch:
        return Watch(
            x=x.tobytes(),
            y=y.tobytes(),
            weights={key: value.tobytes() for key, value in model.net.state().items()},
            settings=_settings(self.attack),
            generators=generators(),
        )


def _settings(attack: Any) -> dict[str, Any]:
    """The settings, and whatever else the object holds."""
    return {"settings": repr(config.to_dict(attack)), "state": repr(getattr(attack, "__dict__", {}))}


def _at_most(attack: Any, key: str, most: int) -> Any:
    fields = {field.name for field in attrs.fields(type(attack)) if field.init}
    value = getattr(attack, key, None)
    if key not in fields or not isinstance(value, int) or value <= most:
        return attack
    try:
        return attrs.evolve(attack, **{key: most})
    except ConfigError:  # so few are not accepted: it runs with its own
        return attack


def _matches(pattern: str, error: Exception | None) -> bool:
    return isinstance(error, ContractError) and re.search(pattern, str(error)) is not None


Check = Callable[[Bench], None]
