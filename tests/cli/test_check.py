"""`check`: a promise that is broken is exit status 1."""

import json
import sys
from types import ModuleType

import pytest
from attrs import frozen


@frozen
class CheckResult:
    name: str
    passed: bool
    detail: str


@pytest.fixture
def kit(monkeypatch):
    """A conformance kit that notes what it is asked."""
    asked = []

    def run_checks(spec, level, backends):
        asked.append((spec.id, level, backends))
        return [CheckResult("stays in the ball", spec.name != "square", "" if spec.name != "square" else "left it")]

    module = ModuleType("armour_core.testing")
    module.run_checks = run_checks
    monkeypatch.setitem(sys.modules, "armour_core.testing", module)
    return asked


def outcomes(done):
    return [(one["plugin"], one["check"], one["passed"]) for one in json.loads(done.stdout)]


def test_the_kit_checks_armours_own_kinds(armour, kit):
    done = armour("check", "attack:pgd", "--json", "--level", "full")
    assert (done.exit_code, outcomes(done)) == (0, [("attack:pgd", "stays in the ball", True)])
    armour("check", "attack:pgd", "--backend", "numpy", "--backend", "torch")
    assert kit == [("attack:pgd", "full", None), ("attack:pgd", "quick", ("numpy", "torch"))]
    failed = armour("check", "attack:square")
    assert failed.exit_code == 1
    assert "left it" in failed.stdout
    assert "1 checks, 1 failed." in failed.stdout


def test_a_kind_brings_its_own_checks(armour, kit):
    done = armour("check", "watermark:tail", "--json")
    plugin = "watermark:their-dist/tail"
    assert (done.exit_code, outcomes(done)) == (1, [(plugin, "holds", True), (plugin, "breaks", False)])
    assert "the promise is broken" in done.stdout
    assert kit == []


def test_a_distribution_is_checked_whole(armour, kit):
    done = armour("check", "Their_Dist", "--json")
    assert done.exit_code == 1
    assert len(outcomes(done)) == 3
    broken = armour("check", "broken", "--json")
    assert (broken.exit_code, outcomes(broken)) == (1, [("broken", "load", False)])


def test_what_is_neither_is_wrong_usage(armour, kit):
    done = armour("check", "nobody")
    assert done.exit_code == 2
    assert "armour, broken, their-dist" in done.stderr
