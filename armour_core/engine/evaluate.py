"""Several attacks on one model: each for itself, and the worst case per sample over all of them."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from armour_core import registry
from armour_core.config import configured_id
from armour_core.data import check_labels
from armour_core.discovery import strict
from armour_core.engine.account import report_of
from armour_core.engine.problem import Budget
from armour_core.engine.provenance import about_model
from armour_core.engine.run import as_model, check_eps, run_attack, whole
from armour_core.errors import ArmourError, ConfigError
from armour_core.fields import NORMS, norm_name
from armour_core.findings import Measure
from armour_core.protocols.model import Model
from armour_core.report import Report
from armour_core.results import Result
from armour_core.specs import Spec

log = logging.getLogger("armour")

Progress = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it is done, how much there is."""


@frozen(kw_only=True, eq=False)
class Unit:
    """One attack of an evaluation: what it was, and what came of it."""

    label: str  #: how it is called here: "pgd", or "pgd(steps=10)" where there are several of one plugin
    attack: Any
    spec: Spec | None  #: None for an object that is not registered
    seed: int  #: its own, made of the evaluation's seed and the plugin's id
    result: Result | None = None
    error: Exception | None = None

    @property
    def tags(self) -> frozenset[str]:
        """The plugin's tags."""
        return self.spec.tags if self.spec else frozenset()

    @property
    def id(self) -> str:
        """The plugin's id, or where its class is."""
        return self.spec.id if self.spec else f"{type(self.attack).__module__}:{type(self.attack).__qualname__}"


@frozen(kw_only=True, eq=False, repr=False)
class Evaluation:
    """What several attacks found. Initially wrong samples count as wrong in every accuracy, and never as successes."""

    units: tuple[Unit, ...]
    norm: str
    eps: tuple[float, ...] | None
    n: int
    seed: int
    batch_size: int
    seconds: float
    context: Mapping[str, Any] = field(factory=dict)  #: about model and data, for the report

    @property
    def results(self) -> dict[str, Result]:
        """Result by label, of the attacks that finished."""
        return {unit.label: unit.result for unit in self.units if unit.result is not None}

    @property
    def failures(self) -> dict[str, Exception]:
        """Error by label, of the attacks that did not."""
        return {unit.label: unit.error for unit in self.units if unit.error is not None}

    @property
    def initially_wrong(self) -> np.ndarray:
        """bool (N,)."""
        return np.asarray(next(iter(self.results.values())).initially_wrong)

    @property
    def success(self) -> np.ndarray:
        """bool (K, N): flipped by any of the attacks."""
        return self.worst(self.results)

    @property
    def distance(self) -> np.ndarray:
        """float64 (N,): the smallest that any attack found; 0 for initially wrong samples, inf where none did."""
        smallest: np.ndarray = np.min([result.distance for result in self.results.values()], axis=0)
        return smallest

    @property
    def clean_accuracy(self) -> float:
        """Share of samples that are right before any attack."""
        return float(1 - self.initially_wrong.mean())

    @property
    def robust_accuracy(self) -> np.ndarray:
        """float64 (K,): share of all samples that are right and that no attack flipped."""
        share: np.ndarray = self.robust(self.success).mean(axis=1)
        return share

    @property
    def robust_accuracy_interval(self) -> np.ndarray:
        """float64 (K, 2): its 95 % Wilson interval."""
        return np.array([self.robust_measure(k).interval for k in range(len(self.success))])

    @property
    def per_attack(self) -> dict[str, np.ndarray]:
        """Robust accuracy (K,) by label: each attack for itself, on all samples."""
        return {label: result.robust_accuracy for label, result in self.results.items()}

    def worst(self, results: Mapping[str, Result]) -> np.ndarray:
        """bool (K, N): flipped by any of `results`, which are some of this evaluation's."""
        found = np.zeros((1 if self.eps is None else len(self.eps), self.n), dtype=bool)
        for result in results.values():
            found |= result.success
        return found

    def robust(self, success: np.ndarray) -> np.ndarray:
        """bool (K, N): right before, and not flipped."""
        right: np.ndarray = ~success & ~self.initially_wrong
        return right

    def clean_measure(self) -> Measure:
        """Clean accuracy with its interval."""
        return Measure.rate("clean_accuracy", int((~self.initially_wrong).sum()), self.n, "samples")

    def robust_measure(self, k: int, success: np.ndarray | None = None, metric: str = "robust_accuracy") -> Measure:
        """Robust accuracy at the k-th eps; of the worst case, or of another `success` (K, N)."""
        right = self.robust(self.success if success is None else success)[k]
        return Measure.rate(metric, int(right.sum()), self.n, "samples; those wrong before the attack count as wrong")

    def flipped_measure(
        self, k: int, success: np.ndarray | None = None, metric: str = "attack_success_rate"
    ) -> Measure:
        """Share of the initially right samples that were flipped at the k-th eps."""
        found = (self.success if success is None else success)[k]
        return Measure.rate(
            metric, int(found.sum()), int((~self.initially_wrong).sum()), "samples that were right before"
        )

    # ---- as a report

    @property
    def report(self) -> Report:
        """The same as a Report: one finding for the worst case, one entry for each attack that failed."""
        return report_of(self)

    @property
    def findings(self) -> tuple[Any, ...]:
        """The report's findings."""
        return self.report.findings

    @property
    def passed(self) -> bool:
        """Whether all attacks finished and nothing is high or critical."""
        return self.report.passed

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, with each attack's result per sample under `results`."""
        return self.report.to_dict() | {"results": {label: result.to_dict() for label, result in self.results.items()}}

    def save(self, path: Any) -> Any:
        """Write the report in the format of the suffix."""
        return self.report.save(path)

    def __repr__(self) -> str:
        lines = [f"Evaluation of {len(self.units)} attacks ({self.norm}) on {self.n} samples, {self.seconds:.2f} s"]
        lines.append(f"  clean accuracy {self.clean_accuracy:.1%}")
        for k in range(len(self.success)):
            at = "smallest perturbation" if self.eps is None else f"eps {self.eps[k]:.6g}"
            low, high = self.robust_accuracy_interval[k]
            each = ", ".join(f"{label} {accuracy[k]:.1%}" for label, accuracy in self.per_attack.items())
            lines.append(f"  {at}: worst case {self.robust_accuracy[k]:.1%} [{low:.1%}, {high:.1%}] ({each})")
        lines += [f"  {label} failed: {type(error).__name__}: {error}" for label, error in self.failures.items()]
        return "\n".join(lines)


def evaluate(
    model: Model,
    x: Any,
    y: Any,
    *,
    attacks: Sequence[Any] = ("pgd", "square"),
    eps: float | Sequence[float] | None = None,
    norm: str | None = None,
    targets: Any = None,
    mask: Any = None,
    budget: Budget | int | None = None,
    seed: int = 0,
    batch_size: int = 128,
    constraints: Sequence[Any] = (),
    progress: Progress | None = None,
) -> Evaluation:
    """Run each attack on every sample that the model gets right, and join what they found per sample.

    attacks: names, or configured objects, which must share one norm; norm: for attacks given by name, "linf" where no
    object says another; eps, targets, mask, budget, constraints: as in `run_attack`; progress(text, done, total): told
    after each batch. Each attack has a seed of its own, made of `seed` and its plugin's id, so that adding one changes
    no other's numbers.

    An attack that fails is recorded in `failures` and the others go on. Raises ConfigError and DataError before any
    work for settings and data that fit no attack, and the first attack's error when none finished.
    """
    began = time.perf_counter()
    model = as_model(model)
    units, shared = _units(attacks, norm, whole("seed", seed, None))
    asked = check_eps(eps)
    batch_size = whole("batch_size", batch_size, 1)
    n, data = _check_data(model, x, y, batch_size)
    settings = {
        "model": model, "x": x, "y": y, "eps": eps, "targets": targets, "mask": mask, "budget": budget,
        "batch_size": batch_size, "keep": "none", "constraints": constraints,
    }  # fmt: skip
    done = [
        _run(unit, _numbered(progress, f"({place} of {len(units)})" if len(units) > 1 else ""), settings)
        for place, unit in enumerate(units, 1)
    ]
    finished = [unit for unit in done if unit.result is not None]
    if not finished:
        first = done[0].error
        assert first is not None
        raise first
    return Evaluation(
        units=tuple(done),
        norm=shared,
        eps=asked,
        n=n,
        seed=seed,
        batch_size=batch_size,
        seconds=time.perf_counter() - began,
        context={"model": about_model(model), "data": data},
    )


def unit_seed(seed: int, plugin: str) -> int:
    """The seed of one plugin's run: depends on nothing but the run's seed and the plugin's id."""
    return int.from_bytes(hashlib.sha256(f"{seed} {plugin}".encode()).digest()[:4], "big") >> 1


def _units(attacks: Sequence[Any], norm: str | None, seed: int) -> tuple[list[Unit], str]:
    """Every attack, created and named, and the norm that they share."""
    if isinstance(attacks, str) or not isinstance(attacks, Sequence) or not attacks:
        raise ConfigError(
            f"attacks={attacks!r}. Give a list of at least one name or configured attack: ['pgd', 'square']."
        )
    given = [attack if isinstance(attack, str) else registry.resolve("attack", attack) for attack in attacks]
    spoken = {getattr(attack, "norm", None) for attack in given if not isinstance(attack, str)} - {None}
    wanted = norm_name(norm) if norm is not None else next(iter(spoken)) if len(spoken) == 1 else "linf"
    if wanted not in NORMS:
        raise ConfigError(f"norm={norm!r}. Choose one of: {', '.join(NORMS)}.")
    if spoken - {wanted}:
        found = ", ".join(sorted(map(str, spoken)))
        raise ConfigError(
            f"The attacks given as objects have norm {found}, and {wanted} is evaluated. A worst case is over one "
            "norm: evaluate each norm for itself."
        )
    made = [registry.create("attack", a, norm=wanted) if isinstance(a, str) else a for a in given]
    specs = [registry.spec_of(attack) for attack in made]
    names = [_short(spec, attack) for spec, attack in zip(specs, made)]
    labels = [name if names.count(name) == 1 else f"{name}({_settings(made[at])})" for at, name in enumerate(names)]
    units: list[Unit] = []
    for label, attack, spec in zip(labels, made, specs):
        if any(label == unit.label for unit in units):
            raise ConfigError(f"{label} is given twice with the same settings: once is enough.")
        unit = Unit(label=label, attack=attack, spec=spec, seed=0)
        units.append(evolve(unit, seed=unit_seed(seed, unit.id)))
    return units, str(wanted)


def _short(spec: Spec | None, attack: Any) -> str:
    return spec.id.partition(":")[2] if spec else type(attack).__name__


def _settings(attack: Any) -> str:
    """What is not the default, so that two configurations of one attack can be told apart."""
    try:
        ours, default = configured_id(attack)[1], configured_id(type(attack)())[1]
    except (ConfigError, TypeError):
        return repr(attack)
    return ", ".join(f"{key}={value}" for key, value in ours.items() if value != default.get(key)) or "defaults"


def _check_data(model: Model, x: Any, y: Any, batch_size: int) -> tuple[int, dict[str, Any]]:
    """Admit data and labels once, so that what fits no attack is said before any work."""
    admitted = model.admit(x)
    n = int(admitted.shape[0])
    if model.local:  # the rows of another one are counted exactly, so it is asked nothing beside the attacks
        model.examine(admitted[:batch_size])
    labels = model.backend.to_numpy(y) if model.backend.is_native(y) else y
    check_labels(labels, n, model.num_classes)
    return n, {"name": "data in memory", "samples": n, "shape": list(admitted.shape)}


def _run(unit: Unit, progress: Progress, settings: Mapping[str, Any]) -> Unit:
    try:
        return evolve(unit, result=run_attack(unit.attack, seed=unit.seed, progress=progress, **settings))
    except MemoryError:
        raise
    except Exception as error:  # a plugin may raise anything; it costs its own numbers and no other's
        if strict():
            raise
        if not isinstance(error, ArmourError):
            log.warning("%s raised %s: %s; the other attacks go on", unit.id, type(error).__name__, error)
        return evolve(unit, error=error)


def _numbered(progress: Progress | None, which: str) -> Progress:
    def tell(text: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{text} {which}".strip(), done, total)

    return tell
