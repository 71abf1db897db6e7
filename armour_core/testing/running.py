"""All checks of a plugin, as cases that can be run one by one, together, or by pytest."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from armour_core import registry
from armour_core.errors import ConfigError, PluginLoadError
from armour_core.protocols.backend import Backend
from armour_core.specs import Spec
from armour_core.testing import (
    attack_counts,
    attack_invariance,
    attack_purity,
    attack_results,
    attack_settings,
    backend,
    loss,
    plugins,
)
from armour_core.testing.bench import MOST, Bench
from armour_core.testing.reference import Setup
from armour_core.testing.verdicts import Broken, CheckResult, NotJudged

LEVELS = ("quick", "full")
_FEW = {"steps": 3}  # where each gradient is 2 N D forward passes
STRICT = "strict"  #: array-api-strict as a backend: refuses what the array API standard does not promise

ATTACK: tuple[Callable[[Bench], None], ...] = (
    attack_results.runs,
    attack_results.within_bounds_and_ball,
    attack_results.finite,
    attack_results.shape_and_dtype,
    attack_results.success_holds,
    attack_results.leaves_wrong_samples,
    attack_results.grows_with_eps,
    attack_results.keeps_mask,
    attack_results.keeps_dtype,
    attack_results.reaches_targets,
    attack_purity.leaves_inputs_and_model,
    attack_purity.leaves_generators,
    attack_purity.stays_on_device,
    attack_purity.repeats,
    attack_purity.forgets_other_eps,
    attack_invariance.same_in_any_batch,
    attack_invariance.same_in_any_order,
    attack_invariance.compiled_as_eager,
    attack_counts.counts,
    attack_counts.keeps_budget,
)
"""What every attack obeys, on each backend."""

SETTINGS: tuple[Callable[[Spec], None], ...] = (attack_settings.attributes_sane, attack_settings.refuses_other_norms)
"""What every attack says of itself."""


@frozen
class Case:
    """One check of one plugin in one place."""

    name: str  #: "finite [torch]"
    check: Callable[[], None] = field(repr=False)

    def run(self) -> CheckResult | None:
        """Its result; None where there is nothing to judge."""
        try:
            self.check()
        except NotJudged:
            return None
        except Broken as broken:
            return CheckResult(name=self.name, passed=False, detail=str(broken))
        except Exception as error:  # a plugin may raise anything: that is what the check found
            return CheckResult(name=self.name, passed=False, detail=f"{type(error).__name__}: {error}")
        return CheckResult(name=self.name, passed=True)


def run_checks(
    spec: Spec | str, level: str = "quick", backends: Sequence[str] | None = None, **settings: Any
) -> list[CheckResult]:
    """Run the checks of a plugin's kind on every backend that is installed.

    spec: a Spec, or "kind:name"; level: "quick" (one norm, one shape) or "full" (all norms and shapes); backends: names
    of those to run on; settings: of the plugin, in place of those that the level chooses. What does not apply, or rests
    on a check that has failed, is not in the list.
    """
    results = (case.run() for case in cases(spec, level, backends, **settings))
    return [result for result in results if result is not None]


def cases(spec: Spec | str, level: str = "quick", backends: Sequence[str] | None = None, **settings: Any) -> list[Case]:
    """The checks, not yet run; arguments as of `run_checks`."""
    if level not in LEVELS:
        raise ConfigError(f"level={level!r}. Choose one of: {', '.join(LEVELS)}.")
    spec = registry.spec(spec) if isinstance(spec, str) else spec
    found = [_case(check, spec) for check in plugins.CHECKS]
    try:
        registry.load(spec.kind, spec.id)
    except PluginLoadError:  # the check `imports` tells
        return found
    if spec.kind == "attack":
        found += [_case(check, spec) for check in SETTINGS]
        found += _attack_cases(spec, level, _backends(backends), settings)
    elif spec.kind == "loss":
        for name in _backends(backends):
            bench = _lazily(loss.LossBench, spec, name)
            found += [_on(bench, check, name) for check in loss.CHECKS]
    elif spec.kind == "backend":
        found += [Case(check.__name__, functools.partial(check, spec)) for check in backend.CHECKS]
    return found


def conformance(spec: str, level: str = "quick", backends: Sequence[str] | None = None, **settings: Any) -> Any:
    """Turn `def test_...(check): check()` into one test for each check of a plugin, by pytest.

    Arguments as of `run_checks`. A check that does not apply is skipped with its reason.
    """
    import pytest

    def decorate(test: Callable[..., Any]) -> Any:
        chosen = cases(spec, level, backends, **settings)
        skipping = [functools.partial(_or_skip, case) for case in chosen]
        return pytest.mark.parametrize("check", skipping, ids=[case.name for case in chosen])(test)

    return decorate


def _or_skip(case: Case) -> None:
    import pytest

    try:
        case.check()
    except NotJudged as reason:
        pytest.skip(str(reason))


# ---- which cases there are


def _attack_cases(spec: Spec, level: str, backends: list[str], settings: Mapping[str, Any]) -> list[Case]:
    found: list[Case] = []
    firsts: dict[str, tuple[Setup, Callable[[], Bench]]] = {}
    for name in backends:
        for setup in _setups(spec, level, name, settings):
            bench = _bench(spec, name, setup, level, settings, name == STRICT, level == "full" and name not in firsts)
            firsts.setdefault(name, (setup, bench))
            place = name if level == "quick" else f"{name}, {setup}"
            found += [_on(bench, check, place) for check in ATTACK]
    for number, name in enumerate(backends):
        others = [other for other in backends[:number] if other != STRICT]
        if others:
            setup, here = firsts[name]
            there = [_bench(spec, other, setup, level, settings, name == STRICT) for other in others]
            found.append(Case(f"same_on_every_backend [{name}]", _comparing(here, there)))
    return found


def _setups(spec: Spec, level: str, backend: str, settings: Mapping[str, Any]) -> list[Setup]:
    try:
        norms = attack_settings.norms_of(spec)
    except (ConfigError, NotJudged, AttributeError):  # the checks of its settings tell why
        norms = ("linf",)
    if (asked := settings.get("norm")) is not None:
        norms = (str(asked),)
    small = backend == STRICT  # where each gradient is 2 N D forward passes
    first = Setup("mlp", 4, norms[0]) if small else Setup("nchw", 8, norms[0])
    if level == "quick":
        return [first]
    others = [Setup(first.shape, first.rows, norm) for norm in norms[1:]]
    shapes = [
        Setup("linear", 5, norms[0], (0.0, 1.0)),
        Setup("nhwc", 6, norms[0]),
        Setup("mlp", 1, norms[0], (0.0, 255.0)),
    ]
    return [first, *others, *([shapes[0]] if small else shapes)]


def _bench(
    spec: Spec, name: str, setup: Setup, level: str, settings: Mapping[str, Any], slow: bool, switch: bool = False
) -> Callable[[], Bench]:
    @functools.cache
    def made() -> Bench:
        found = _loaded(name)
        _need(spec, found)
        own = {key: value for key, value in settings.items() if key != "norm"}
        return Bench(spec, found, setup, level, own, {**MOST[level], **_FEW} if slow else None, switch)

    return made


def _lazily(make: Callable[[Spec, Backend], Any], spec: Spec, name: str) -> Callable[[], Any]:
    @functools.cache
    def made() -> Any:
        return make(spec, _loaded(name))

    return made


def _on(bench: Callable[[], Any], check: Callable[[Any], None], place: str) -> Case:
    return Case(f"{check.__name__} [{place}]", lambda: check(bench()))


def _comparing(here: Callable[[], Bench], there: Sequence[Callable[[], Bench]]) -> Callable[[], None]:
    """Compare with the first of the others that can run it."""

    def compare() -> None:
        mine, reasons = here(), []
        for other in there:
            try:
                theirs = other()
            except NotJudged as reason:
                reasons.append(str(reason))
                continue
            attack_invariance.same_on_every_backend(mine, theirs)
            return
        raise NotJudged("; ".join(reasons))

    return compare


def _case(check: Callable[[Spec], None], spec: Spec) -> Case:
    return Case(check.__name__, functools.partial(check, spec))


# ---- on which backends


def _backends(asked: Sequence[str] | None) -> list[str]:
    """Names of the backends to run on: those asked for, or all that are registered and the strict one."""
    return list(asked) if asked is not None else [*(spec.name for spec in registry.list_plugins("backend")), STRICT]


def _loaded(name: str) -> Backend:
    """The backend, on the CPU. Raises NotJudged where its framework is not installed."""
    try:
        if name == STRICT:
            return importlib.import_module("armour_core.testing.strict").backend_for("cpu")  # type: ignore[no-any-return]
        return registry.load("backend", name)("cpu")  # type: ignore[no-any-return]
    except (PluginLoadError, ModuleNotFoundError) as error:
        raise NotJudged(f"the framework of backend {name!r} is not installed: {error}") from error


def _need(spec: Spec, found: Backend) -> None:
    if "autodiff" in spec.needs and "autodiff" not in found.capabilities:
        raise NotJudged(f"{spec.id} needs gradients, and backend {found.name!r} has none")


def checks_of(kind: str) -> Iterator[str]:
    """Names of the checks of a kind."""
    own: dict[str, Sequence[Callable[..., None]]] = {
        "attack": (*SETTINGS, *ATTACK, attack_invariance.same_on_every_backend),
        "loss": loss.CHECKS,
        "backend": backend.CHECKS,
    }
    yield from (check.__name__ for check in (*plugins.CHECKS, *own.get(kind, ())))
