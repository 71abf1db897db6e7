"""Each check has an offender that breaks it and nothing else, and the kit names it."""

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from armour_core import registry
from armour_core.errors import ConfigError
from armour_core.results import Result
from armour_core.testing import CheckResult, bench, checks_of, running
from armour_core.testing.running import ATTACK, run_checks

_spec = importlib.util.spec_from_file_location("armour_planted", Path(__file__).parent / "planted.py")
assert _spec is not None
assert _spec.loader is not None
planted: Any = importlib.util.module_from_spec(_spec)
sys.modules["armour_planted"] = planted
_spec.loader.exec_module(planted)

ENGINE = {"leaves_wrong_samples", "grows_with_eps", "keeps_dtype"}  # kept by the engine, whatever the attack does
FRAMEWORKS = {"compiled_as_eager", "same_on_every_backend"}  # need one that compiles, or two
SPECS = {"imports", "says_what_it_is", "lists_without_frameworks"}  # broken by a distribution


TAGS = {"IgnoresTargets": ("linf", "l2", "targeted"), "TakesAnyNorm": ("linf",), "IgnoresTheMask": ("linf",)}


def check(
    made_by: Any, backends: Iterable[str] = ("numpy",), tags: Iterable[str] = ("linf", "l2")
) -> list[CheckResult]:
    name = made_by.__name__
    offered = {"tags": TAGS.get(name, tags), "needs": {"scores"}, "summary": "Planted"}
    spec = registry.register(made_by, kind="attack", name=f"planted_{name.lower()}", **offered)
    return run_checks(spec, backends=list(backends))


def failed(results: Iterable[CheckResult]) -> dict[str, str]:
    """Names of the failed checks, without where they ran, and what they say."""
    return {r.name.partition(" [")[0]: r.detail for r in results if not r.passed}


def judged(results: Iterable[CheckResult]) -> set[str]:
    return {r.name.partition(" [")[0] for r in results}


def test_an_honest_attack_passes_every_check() -> None:
    results = check(
        planted.Honest, backends=("numpy", "torch", "tensorflow", "strict"), tags=("linf", "l2", "targeted")
    )
    assert failed(results) == {}
    assert judged(results) == set(checks_of("attack")) - {
        "lists_without_frameworks"
    }  # it is registered in this process


@pytest.mark.parametrize(
    ("broken", "made_by"), [(broken, made_by) for broken, all_of in planted.PLANTED.items() for made_by in all_of]
)
def test_planted_attack_is_named(broken: str, made_by: Any) -> None:
    assert set(failed(check(made_by))) == {broken}


def test_every_check_of_attacks_has_an_offender() -> None:
    assert planted.PLANTED.keys() | ENGINE | FRAMEWORKS | SPECS == set(checks_of("attack"))


@pytest.mark.parametrize("how", planted.FETCHING)
@pytest.mark.parametrize("backend", ["torch", "strict"])
def test_fetching_by_a_method_is_named(backend: str, how: str) -> None:
    pytest.importorskip({"strict": "array_api_strict"}.get(backend, backend))
    if backend == "strict" and how in ("item", "numpy"):
        pytest.skip("array-api-strict has no such method")
    assert set(failed(check(planted.FETCHING[how], [backend]))) == {"stays_on_device"}


def test_what_a_trace_freezes_is_named() -> None:
    pytest.importorskip("tensorflow")
    assert set(failed(check(planted.FrozenByTracing, ["tensorflow"]))) == {"compiled_as_eager"}


def test_a_backend_of_its_own_ways_is_named() -> None:
    pytest.importorskip("torch")
    assert set(failed(check(planted.PrefersTorch, ["numpy", "torch"]))) == {"same_on_every_backend"}


# ---- what the engine keeps, whatever the attack does: an engine that does not


def tampered(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    honest = bench.run_attack
    monkeypatch.setattr(bench, "run_attack", lambda *a, **k: change(honest(*a, **k)))


def test_an_engine_that_touches_wrong_samples_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(result: Result) -> Result:
        return attrs.evolve(result, distance=result.distance + result.initially_wrong)

    tampered(monkeypatch, change)
    assert set(failed(check(planted.Honest))) == {"leaves_wrong_samples"}


def test_an_engine_that_loses_a_success_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(result: Result) -> Result:
        largest = np.arange(len(result.success)) == int(np.argmax(result.eps or (0,)))
        return attrs.evolve(result, success=result.success & ~(largest[:, None] & (len(largest) > 1)))

    tampered(monkeypatch, change)
    assert set(failed(check(planted.Honest))) == {"grows_with_eps"}


def test_an_engine_that_rounds_outwards_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("armour_core.engine.settle._round_towards", lambda x, start, d: (start + d).astype(x.dtype))
    assert set(failed(check(planted.Honest))) == {"keeps_dtype"}


# ---- distributions


def distribution(folder: Path, module: str, code: str, entry: str | None = None) -> None:
    """A distribution as pip leaves it: a module, and metadata with an entry point."""
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[armour.plugins]\n{module} = {entry or module}\n")


SOURCE = """
{imports}
from armour_core import Spec, hookimpl
from armour_core.fields import norm_field
from attrs import frozen

@frozen(kw_only=True)
class Still:
    norm: str = norm_field("linf")

    def run(self, p, rng):
        p.success(p.x)
        return p.x

@hookimpl
def armour_specs():
    return [Spec("attack", {name!r}, {target!r}, summary={summary!r}, tags={{"linf"}}, needs={{"labels"}})]
"""


@pytest.mark.parametrize(
    ("broken", "changes"),
    [
        (set(), {}),
        ({"imports"}, {"target": "armour_still:Missing"}),
        ({"says_what_it_is"}, {"summary": ""}),
        ({"says_what_it_is"}, {"name": "elsewhere"}),
        ({"lists_without_frameworks"}, {"imports": "import mxnet"}),
    ],
)
def test_planted_distribution_is_named(
    broken: set[str], changes: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"imports": "", "name": "armour_still", "target": "armour_still:Still", "summary": "Does nothing"} | changes
    distribution(tmp_path, "armour_still", SOURCE.format(**given))
    (tmp_path / "mxnet.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("armour_still", "mxnet"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    registry.refresh()
    assert set(failed(run_checks(f"attack:armour-still/{given['name']}", backends=["numpy"]))) == broken
    for module in ("armour_still", "mxnet"):
        sys.modules.pop(module, None)


def test_checks_are_named_as_functions() -> None:
    assert len({check.__name__ for check in ATTACK}) == len(ATTACK)
    with pytest.raises(ConfigError, match="level='slow'"):
        running.cases("attack:pgd", level="slow")
