"""Losses and backends that break one promise each, and the kit names it."""

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from armour_core import registry
from armour_core.functional import lead, pick
from armour_core.testing import CheckResult, checks_of
from armour_core.testing.running import run_checks


def failed(results: Iterable[CheckResult]) -> dict[str, str]:
    return {r.name.partition(" [")[0]: r.detail for r in results if not r.passed}


@frozen(kw_only=True)
class Honest:
    """The margin."""

    def __call__(self, logits: Any, goal: Any, *, backend: Any, clean: Any = None) -> Any:
        ahead = lead(backend.xp, logits, goal.labels)
        return self.then(backend, ahead if goal.kind == "untargeted" else -ahead, logits, goal)

    def then(self, backend: Any, value: Any, logits: Any, goal: Any) -> Any:
        return value


@frozen(kw_only=True)
class SumsUp(Honest):
    def then(self, backend, value, logits, goal):
        return backend.xp.sum(value, keepdims=True) + 0 * value[:1]


@frozen(kw_only=True)
class Overflows(Honest):
    def then(self, backend, value, logits, goal):
        return backend.xp.log(backend.xp.exp(value))


@frozen(kw_only=True)
class Averages(Honest):
    """Divides by the size of the batch, as a mean over it does."""

    def then(self, backend, value, logits, goal):
        return value / logits.shape[0]


@frozen(kw_only=True)
class StopsAPart(Honest):
    def then(self, backend, value, logits, goal):
        return value + backend.xp.tanh(backend.stop_gradient(value))


@frozen(kw_only=True)
class FallsTowardsTheGoal(Honest):
    def then(self, backend, value, logits, goal):
        return -value


@frozen(kw_only=True)
class LooksAtTheLabelAlone(Honest):
    def then(self, backend, value, logits, goal):
        own = pick(backend.xp, logits, goal.labels)
        return -own if goal.kind == "untargeted" else own


@frozen(kw_only=True)
class NeedsThreeClasses(Honest):
    def then(self, backend, value, logits, goal):
        return value * (backend.xp.nan if logits.shape[1] < 3 else 1.0)


PLANTED = {
    "one_number_a_row": (Overflows,),
    "rows_are_independent": (Averages,),
    "gradient_is_right": (StopsAPart,),
    "rises_with_success": (FallsTowardsTheGoal,),
    "shifts_as_declared": (LooksAtTheLabelAlone,),
    "fallback_is_said": (NeedsThreeClasses,),
}


def check(made_by: Any) -> dict[str, str]:
    pytest.importorskip("torch")
    registry.register(made_by, kind="loss", name=f"planted_{made_by.__name__.lower()}", summary="Planted")
    return failed(run_checks(f"loss:planted_{made_by.__name__.lower()}", backends=["torch"]))


def test_an_honest_loss_passes() -> None:
    assert check(Honest) == {}


@pytest.mark.parametrize(("broken", "made_by"), [(name, one) for name, ones in PLANTED.items() for one in ones])
def test_planted_loss_is_named(broken: str, made_by: Any) -> None:
    assert set(check(made_by)) == {broken}


def test_a_loss_that_is_one_number_is_named() -> None:
    assert "one_number_a_row" in check(SumsUp)


def test_every_check_of_losses_has_an_offender() -> None:
    assert PLANTED.keys() <= set(checks_of("loss"))
    assert set(checks_of("loss")) - PLANTED.keys() == set(checks_of("reporter"))


# ---- backends


class Planted:
    """NumPy's backend, with something changed."""

    def __init__(self, **changes: Any) -> None:
        self._inner = registry.load("backend", "numpy")("cpu")
        self.__dict__.update(changes)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)


def changed_xp(**changes: Any) -> ModuleType:
    xp = ModuleType("planted_xp")
    xp.__dict__.update({**vars(registry.load("backend", "numpy")("cpu").xp), **changes})
    return xp


def without(name: str) -> ModuleType:
    xp = changed_xp()
    del xp.__dict__[name]
    return xp


OFFENDERS: dict[str, Any] = {
    "has_every_name": lambda: Planted(xp=without("permute_dims")),
    "draws_the_same_bits": lambda: Planted(mix=lambda bits: bits),
    "computes_the_reference_models": lambda: Planted(xp=changed_xp(tanh=np.cos)),
}


@pytest.mark.parametrize("broken", OFFENDERS)
def test_planted_backend_is_named(broken: str) -> None:
    def planted(device: str = "auto") -> Any:
        return OFFENDERS[broken]()

    registry.register(planted, kind="backend", name="planted", summary="Planted")
    assert set(failed(run_checks("backend:planted"))) == {broken}


def test_every_check_of_backends_has_an_offender() -> None:
    assert set(checks_of("backend")) - OFFENDERS.keys() == set(checks_of("reporter"))
