"""A registry of a few plugins, in place of what happens to be installed."""

import sys
from types import ModuleType

import attrs
import pytest
from attrs import frozen
from click.testing import CliRunner

from armour_core import discovery, registry
from armour_core.cli import main
from armour_core.discovery import Distribution, Failure, Found
from armour_core.fields import norm_field, positive, positive_int
from armour_core.kinds import BUILTIN, Kind
from armour_core.specs import Spec


@frozen(kw_only=True)
class PGD:
    """Climb the loss.

    Source: a paper.
    """

    norm: str = norm_field("linf", "l2")
    steps: int = positive_int(40)  #: gradient steps in one round
    rel_step: float | None = positive(None)


def holds(spec):
    assert spec.name


def breaks(spec):
    raise AssertionError("the promise is broken")


SPECS = [
    Spec(
        "attack", "pgd", "tst_cli:PGD", summary="Iterated ascent", aliases=("LinfPGD",), tags={"white-box", "linf"},
        needs={"autodiff", "scores"}, reference="arXiv:1706.06083", origin="armour",
    ),
    Spec("attack", "square", "tst_cli:PGD", summary="Random search", tags={"linf"}, needs={"scores"}, origin="armour"),
    Spec("backend", "torch", "tst_missing:Backend", extra="torch", tags={"autodiff"}, origin="armour"),
    Spec("backend", "numpy", "tst_missing:Backend", origin="armour"),
    Spec("watermark", "tail", "tst_cli:PGD", origin="their-dist"),
    Spec("stamp", "tail", "tst_cli:PGD", origin="their-dist"),
]  # fmt: skip
KINDS = {
    "watermark": Kind("watermark", checks=(holds, breaks), origin="their-dist"),
    "stamp": Kind("stamp", checks=(holds,), origin="their-dist"),
}
DISTRIBUTIONS = (
    Distribution("armour", "1.2", ("attacks = m",), "loaded", specs=4, hooks=("armour_specs",)),
    Distribution("broken", "0.1", ("b = b",), "failed"),
    Distribution("their-dist", "3.0", ("t = t",), "loaded", specs=2, kinds=("watermark", "stamp")),
)


@pytest.fixture
def failures():
    return [Failure("broken", "load", ImportError("no [module] named x"))]


@pytest.fixture
def armour(monkeypatch, failures):
    """Runs the command line over these plugins."""
    module = ModuleType("tst_cli")
    module.PGD = PGD
    monkeypatch.setitem(sys.modules, "tst_cli", module)
    found = Found(discovery.new_manager(), tuple(SPECS), BUILTIN | KINDS, DISTRIBUTIONS, tuple(failures))
    monkeypatch.setattr(registry, "_registry", registry.Registry(attrs.evolve(found)))
    return lambda *arguments, **variables: CliRunner().invoke(main, arguments, env=variables)
