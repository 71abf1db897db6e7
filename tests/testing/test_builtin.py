"""armour's own plugins pass the kit: every one that is registered, on every backend; `full` in `make test-all`."""

from typing import Any

import pytest

from armour_core import registry
from armour_core.discovery import OWN
from armour_core.specs import Spec
from armour_core.testing import Case, Setup, cases
from armour_core.testing.bench import Bench
from armour_core.testing.verdicts import NotJudged

BACKENDS = ("numpy", "torch", "tensorflow", "strict")
POWER: dict[str, dict[str, Any]] = {  # settings with which a few steps succeed, so that there is something to check
    "cw": {"steps": 12, "rounds": 2, "initial_const": 5.0, "learning_rate": 0.1},
    "hopskipjump": {"steps": 3, "first_points": 20, "starts": 20},
}
FEW = {"cw": {"steps": 3}}  # on array-api-strict, whose gradients are differences

OWN_SPECS = [spec for spec in registry.list_plugins() if spec.origin == OWN]


def chosen(spec: Spec, level: str) -> list[Case]:
    settings = POWER.get(spec.name, {}) if spec.kind == "attack" else {}
    found = cases(spec, level, [name for name in BACKENDS if name != "strict"], **settings)
    strict = cases(spec, level, [*BACKENDS[1:2], "strict"], **settings | FEW.get(spec.name, {}))
    return found + [case for case in strict if "[strict" in case.name]


def every(level: str) -> Any:
    found = [(spec, case) for spec in OWN_SPECS for case in chosen(spec, level)]
    return pytest.mark.parametrize("case", [pytest.param(case, id=f"{spec.id} {case.name}") for spec, case in found])


def passes(case: Case) -> None:
    try:
        case.check()
    except NotJudged as reason:
        pytest.skip(str(reason))


@every("quick")
def test_own_plugin_passes(case: Case) -> None:
    passes(case)


@pytest.mark.full
@every("full")
def test_own_plugin_passes_in_full(case: Case) -> None:
    passes(case)


@pytest.mark.parametrize("spec", [s for s in OWN_SPECS if s.kind == "attack"], ids=lambda spec: spec.name)
def test_the_checks_have_something_to_judge(spec: Spec) -> None:
    """In the quick setup each attack finds some samples."""
    pytest.importorskip("torch")
    setup = Setup(norm=registry.create("attack", spec.id).norm)
    made = Bench(spec, registry.load("backend", "torch")("cpu"), setup, "quick", POWER.get(spec.name))
    assert made.result("runs").success.any()
