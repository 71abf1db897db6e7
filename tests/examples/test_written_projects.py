"""What `armour new` writes: projects that install, are listed, import, and pass the tests they come with."""

import sys
from pathlib import Path

import pytest

KINDS = ("attack", "loss", "defense", "detector", "metric", "probe", "reporter", "dataset")


def test_every_project_is_listed_and_imports(projects):
    made = projects.python(
        "import armour_core as a\n"
        f"for kind in {KINDS}:\n"
        "    made = a.create(kind, 'my_' + kind)\n"
        "    print(a.spec(kind, 'my_' + kind).id, type(made).__name__)"
    )
    assert made.out.split() == [
        word for kind in KINDS for word in (f"{kind}:armour-my-{kind}/my_{kind}", f"My{kind.capitalize()}")
    ], made.err


def test_every_project_keeps_the_promise_of_its_kind(projects):
    lacking = projects.python(
        "from armour_core import registry\n"
        f"for kind in {KINDS}:\n"
        "    protocol, made = registry.kind(kind).load_protocol(), registry.load(kind, 'my_' + kind)\n"
        "    if kind == 'attack':\n"
        "        from armour_core.protocols.attack import RunAttack as protocol\n"
        "    promised = {n for n in vars(protocol) if not n.startswith('_') or n == '__call__'} - {'norm'}\n"
        "    print(*(f'{kind}.{name}' for name in promised if not hasattr(made, name)), end='')"
    )
    assert (lacking.out, lacking.code) == ("", 0), lacking.err


KIT = Path(__file__).parents[2] / "armour_core" / "testing" / "__init__.py"
kit = pytest.mark.skipif(not KIT.exists(), reason="there is no conformance kit yet")


@pytest.mark.parametrize(
    "chosen", [pytest.param(("attack",), marks=kit, id="attack"), pytest.param(KINDS[1:], id="others")]
)
def test_the_tests_that_a_project_comes_with_pass(projects, chosen):
    tests = [str(projects.work / kind / "tests") for kind in chosen]
    done = projects.run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir",
        str(projects.work), *tests,
    )  # fmt: skip
    assert done.code == 0, done.out + done.err


def test_nothing_that_exists_is_overwritten(projects):
    before = {path: path.read_bytes() for path in (projects.work / "loss").rglob("*") if path.is_file()}
    again = projects.armour("new", "loss", "another", "--dir", str(projects.work / "loss"))
    assert again.code == 2
    assert "exists" in again.err
    assert before == {path: path.read_bytes() for path in (projects.work / "loss").rglob("*") if path.is_file()}
