"""Kinds: each says what it promises, and its Protocol can be had."""

import inspect

import pytest

from armour_core import hooks
from armour_core.errors import ConfigError, PluginLoadError
from armour_core.kinds import BUILTIN, Kind

MEMBERS = {"attack", "loss", "defense", "detector", "ood", "drift", "mutator", "coverage", "mechanism", "clipper",
           "accountant", "inference", "extraction", "poison", "fault", "cipher", "explainer", "metric", "probe",
           "executor", "reporter", "dataset", "backend"}  # fmt: skip


def test_every_kind_of_the_architecture_is_there():
    assert set(BUILTIN) == MEMBERS


@pytest.mark.parametrize("kind", BUILTIN.values(), ids=BUILTIN)
def test_a_kind_has_a_summary_and_a_documented_protocol(kind):
    protocol = kind.load_protocol()
    assert kind.summary
    assert getattr(protocol, "_is_protocol", False)
    promised = [member for name, member in vars(protocol).items() if inspect.isfunction(member) and name[0] != "_"]
    assert all(inspect.getdoc(member) for member in (protocol, *promised))


def test_protocol_and_checks_may_be_objects_or_names():
    def check(spec):
        pass

    kind = Kind("mine", protocol="armour_core.protocols.attack:Attack", checks=(check, "json:dumps"))
    assert kind.load_protocol().__name__ == "Attack"
    assert [check.__name__ for check in kind.load_checks()] == ["check", "dumps"]
    assert Kind("mine", checks="json:dumps").checks == ("json:dumps",)
    assert Kind("mine", checks=check).load_checks() == (check,)


@pytest.mark.parametrize("target", ["json:nothing", "a_module_that_nobody_has:X", "no_colon", ""])
def test_what_cannot_be_imported_says_so(target):
    with pytest.raises(PluginLoadError, match="the Protocol of kind 'mine'"):
        Kind("mine", protocol=target).load_protocol()


@pytest.mark.parametrize("name", ["Mine", "my-kind", "", None])
def test_a_name_that_is_not_snake_case_is_refused(name):
    with pytest.raises(ConfigError, match="snake_case"):
        Kind(name)


def test_every_hook_is_documented():
    specified = {name: value for name, value in vars(hooks).items() if name.startswith("armour_")}
    assert set(specified) == {
        "armour_specs", "armour_kinds", "armour_infer_backend", "armour_wrap_model", "armour_open_data",
        "armour_open_model", "armour_before_run", "armour_after_batch", "armour_after_run", "armour_add_commands",
    }  # fmt: skip
    assert all(inspect.getdoc(hook) for hook in specified.values())
