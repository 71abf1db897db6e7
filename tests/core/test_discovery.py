"""Discovery: each distribution is let in whole or not at all, and what is broken costs only itself."""

import sys

import pytest

from armour_core import discovery
from armour_core.discovery import allowed, canonical, discover
from armour_core.errors import ConfigError, IncompatiblePlugin, PluginLoadError, UnknownPlugin

SPECS = """
from armour_core import Spec, hookimpl

@hookimpl
def armour_specs():
    return [{specs}]
"""
ONE = 'Spec("attack", "one", "m:One")'
WRAPPER = SPECS.format(specs=ONE).replace("@hookimpl", "@hookimpl(hookwrapper=True)").replace("return", "yield")
KIND = """
from armour_core.kinds import Kind

@hookimpl
def armour_kinds():
    return [Kind("{name}", "new")]
"""


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Makes a distribution as an installer leaves it: modules, METADATA, entry_points.txt."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, *modules, entries=None, metadata="Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"):
        files = [f"{name.replace('-', '_')}_{n}" for n in range(len(modules))]
        for file, source in zip(files, modules):
            (tmp_path / f"{file}.py").write_text(source)
            monkeypatch.delitem(sys.modules, file, raising=False)
        info = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        if metadata is not None:
            (info / "METADATA").write_text(metadata.format(name=name))
        lines = entries if isinstance(entries, str) else [f"e{n} = {value}" for n, value in enumerate(entries or files)]
        text = lines if isinstance(lines, str) else "\n".join(["[armour.plugins]", *lines, ""])
        (info / "entry_points.txt").write_text(text)
        return files

    return make


def found_in(origin, environ=None):
    """What was found in a distribution: Specs' names, and failures by stage and type."""
    found = discover(environ or {})
    (described,) = (one for one in found.distributions if one.name == origin)
    specs = [spec.name for spec in found.specs if spec.origin == origin]
    assert described.specs == len(specs)
    return described.status, specs, [(f.stage, type(f.error)) for f in found.failures if f.origin == origin]


def message(origin):
    (failure,) = (f for f in discover({}).failures if f.origin == origin)
    return str(failure.error)


def test_what_a_distribution_offers_bears_its_name(distribution):
    distribution("Tst_Good", SPECS.format(specs=ONE))
    found = discover({})
    (spec,) = (spec for spec in found.specs if spec.origin == "tst-good")
    assert spec.id == "attack:tst-good/one"
    (described,) = (one for one in found.distributions if one.name == "tst-good")
    assert (described.version, described.hooks) == ("1.0", ("armour_specs",))


@pytest.mark.parametrize(
    ("source", "stage", "error"),
    [
        ("import a_module_that_nobody_has", "load", ModuleNotFoundError),
        ("raise RuntimeError('at import')", "load", RuntimeError),
        ("this is no Python", "load", SyntaxError),
        ("import sys\nsys.exit(1)", "load", SystemExit),
        (SPECS.format(specs="1 / 0"), "specs", ZeroDivisionError),
        (SPECS.format(specs='Spec("attack", "Bad-Name", "m:A")'), "specs", ConfigError),
        (SPECS.format(specs="'attack:pgd'"), "specs", ConfigError),
        (SPECS.format(specs=ONE).replace("[", "(", 1).replace("]", ")", 1), "specs", ConfigError),
        (SPECS.format(specs=f"{ONE}, {ONE}"), "specs", ConfigError),
        (SPECS.format(specs=ONE).replace("armour_specs", "armour_spec"), "check", IncompatiblePlugin),
        (WRAPPER, "check", IncompatiblePlugin),
        (SPECS.format(specs=ONE).replace("armour_specs()", "armour_specs(surprise)"), "register", Exception),
        (SPECS.format(specs=ONE).replace("@hookimpl", ""), "check", IncompatiblePlugin),
        (SPECS.format(specs=ONE) + KIND.format(name="attack"), "kinds", ConfigError),
    ],
)
def test_what_is_broken_costs_only_itself(distribution, source, stage, error):
    distribution("tst-broken", source)
    distribution("tst-whole", SPECS.format(specs=ONE))
    _, specs, failures = found_in("tst-broken")
    assert specs == []
    ((at, raised),) = failures
    assert at == stage
    assert issubclass(raised, error)
    assert found_in("tst-whole") == ("loaded", ["one"], [])


def test_one_broken_module_takes_the_whole_distribution_with_it(distribution):
    distribution("tst-half", SPECS.format(specs=ONE), "raise RuntimeError")
    assert found_in("tst-half") == ("failed", [], [("load", RuntimeError)])


def test_an_entry_point_without_module_or_hook_offers_nothing_and_costs_nothing(distribution):
    (module,) = distribution("tst-gone", SPECS.format(specs=ONE), entries=["tst_gone_0", "tst_not_there", "json"])
    assert module == "tst_gone_0"
    assert found_in("tst-gone") == ("loaded", ["one"], [("load", PluginLoadError), ("check", IncompatiblePlugin)])


def test_a_spec_for_another_interface_is_left_out_alone(distribution):
    distribution("tst-future", SPECS.format(specs=f'{ONE}, Spec("attack", "two", "m:Two", api=99)'))
    assert found_in("tst-future") == ("loaded", ["one"], [("specs", IncompatiblePlugin)])
    assert "update armour" in message("tst-future")


def test_a_kind_may_come_from_a_distribution_later_in_the_alphabet(distribution):
    distribution("tst-a", SPECS.format(specs='Spec("tst_kind", "one", "m:One")'))
    distribution("tst-b", SPECS.format(specs=ONE) + KIND.format(name="tst_kind"))
    assert found_in("tst-a") == ("loaded", ["one"], [])
    assert discover({}).kinds["tst_kind"].origin == "tst-b"


def test_a_kind_that_nobody_defines_costs_only_the_spec(distribution):
    distribution("tst-odd", SPECS.format(specs=f'{ONE}, Spec("atack", "two", "m:Two")'))
    assert found_in("tst-odd") == ("loaded", ["one"], [("specs", UnknownPlugin)])
    assert "Did you mean attack?" in message("tst-odd")


def test_two_distributions_cannot_define_one_kind_nor_share_one_module(distribution):
    (shared,) = distribution("tst-a", SPECS.format(specs=ONE) + KIND.format(name="tst_kind"))
    distribution("tst-b", SPECS.format(specs=ONE) + KIND.format(name="tst_kind"))
    distribution("tst-c", entries=[shared])
    assert found_in("tst-a") == ("loaded", ["one"], [])
    assert found_in("tst-b") == ("failed", [], [("register", ConfigError)])
    assert found_in("tst-c") == ("failed", [], [("register", ConfigError)])


def test_a_misspelt_hook_is_told_with_the_nearest_one(distribution):
    distribution("tst-misspelt", SPECS.format(specs=ONE).replace("armour_specs", "armour_spec"))
    assert "Did you mean armour_specs?" in message("tst-misspelt")


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, "loaded"),
        ({"ARMOUR_BLOCK": ""}, "loaded"),
        ({"ARMOUR_BLOCK": "other, TST_Lis*"}, "blocked"),
        ({"ARMOUR_ALLOW": "other"}, "blocked"),
        ({"ARMOUR_ALLOW": "tst.list*"}, "loaded"),
        ({"ARMOUR_ALLOW": "*", "ARMOUR_BLOCK": "tst-*"}, "blocked"),
    ],
)
def test_what_is_not_let_in_is_not_imported(distribution, environ, status):
    (module,) = distribution("tst-listed", SPECS.format(specs=ONE))
    assert found_in("tst-listed", environ)[0] == status
    assert (module in sys.modules) == (status == "loaded")


def test_an_allow_list_says_who_may_join_armours_own():
    assert allowed("armour", {"ARMOUR_ALLOW": "other"})
    assert not allowed("armour", {"ARMOUR_BLOCK": "armour"})


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_strict_raises_what_went_wrong(distribution, value):
    distribution("aaa-tst-broken", "raise RuntimeError('at import')")
    with pytest.raises(RuntimeError, match="at import"):
        discover({"ARMOUR_STRICT": value, "ARMOUR_BLOCK": "armour"})
    discover({"ARMOUR_STRICT": "0"})


def test_armour_comes_first_and_then_names_in_order(distribution):
    distribution("aaa-tst", SPECS.format(specs=ONE))
    distribution("zzz-tst", SPECS.format(specs=ONE))
    names = [one.name for one in discovery.installed()[0]]
    own = [name for name in names if name == "armour"]
    assert names == own + sorted(name for name in names if name != "armour")


def test_names_are_compared_as_package_indexes_do():
    assert canonical("Their__Dist.name") == "their-dist-name"


@pytest.mark.parametrize(
    ("entries", "metadata"),
    [
        ("[armour.plugins]\nno value here\n", "Name: {name}\nVersion: 1.0\n"),
        ("[armour.plugins]\ne = m\n", "Name: {name}\n"),
        ("[armour.plugins]\ne = m\n", None),
        ("[armour.plugins]\nno value here\n", None),
    ],
)
def test_metadata_that_cannot_be_read_costs_only_itself(distribution, entries, metadata):
    distribution("tst-damaged", entries=entries, metadata=metadata)
    distribution("tst-whole", SPECS.format(specs=ONE))
    assert found_in("tst-whole") == ("loaded", ["one"], [])
    assert [f.stage for f in discover({}).failures if f.origin != "armour"] == ["metadata"]


@pytest.mark.parametrize("value", ["m:", "a b c", "m:A B!"])
def test_an_entry_point_that_names_nothing_costs_only_its_distribution(distribution, value):
    distribution("tst-odd", entries=[value])
    distribution("tst-whole", SPECS.format(specs=ONE))
    assert found_in("tst-odd") == ("failed", [], [("load", ValueError)])
    assert found_in("tst-whole") == ("loaded", ["one"], [])
