"""What `armour new` writes: projects that install, are listed, import, and pass the tests they come with."""

import sys

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


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        pytest.param(("attack",), "not torch and not tensorflow and not strict", id="attack on numpy"),
        pytest.param(("attack",), "", id="attack everywhere", marks=pytest.mark.full),
        pytest.param(KINDS[1:], "", id="others"),
    ],
)
def test_the_tests_that_a_project_comes_with_pass(projects, kinds, chosen):
    tests = [str(projects.work / kind / "tests") for kind in kinds]
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", str(projects.work), "-k", chosen]
    done = projects.run(sys.executable, "-m", "pytest", *options, *tests)
    assert done.code == 0, done.out + done.err
    assert " passed" in done.out


def test_nothing_that_exists_is_overwritten(projects):
    before = {path: path.read_bytes() for path in (projects.work / "loss").rglob("*") if path.is_file()}
    again = projects.armour("new", "loss", "another", "--dir", str(projects.work / "loss"))
    assert again.code == 2
    assert "exists" in again.err
    assert before == {path: path.read_bytes() for path in (projects.work / "loss").rglob("*") if path.is_file()}
