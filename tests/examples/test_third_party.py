"""Distributions that other people wrote: what each brings is there by name, and what is broken costs only itself."""

import time

import pytest

BROKEN = ("armour-broken-hook", "armour-broken-import", "armour-broken-misspelt")


def test_armour_is_the_one_that_was_built_and_installed(installation):
    found = installation.python("import armour_core; print(armour_core.__file__)")
    assert found.out.startswith(str(installation.folders[0])), found.err


def test_an_attack_is_listed_shown_and_selected_by_its_bare_name(installation):
    (listed,) = installation.armour("list", "attack", "--match", "*signflip*", "--json").json
    assert listed["id"] == "attack:armour-signflip/signflip"
    assert listed["origin"] == "armour-signflip"
    shown = installation.armour("show", "attack:signflip", "--json").json
    assert {setting["name"]: setting["default"] for setting in shown["parameters"]} == {"norm": "linf", "rate": 0.5}
    made = installation.python(
        "import armour_core as a; print(a.create('attack', 'Sign-Flip'.replace('-', ''), rate=0.2))"
    )
    assert made.out == "SignFlip(norm='linf', rate=0.2)\n", made.err


def test_everything_else_is_listed_beside_the_broken_ones_and_no_framework_is_imported(installation):
    listed = installation.python(
        "import sys, armour_core as a\n"
        "print(*(spec.id for spec in a.list_plugins()))\n"
        "print(*{'torch', 'tensorflow', 'jax', 'numpy', 'rich', 'signflip_target'} & set(sys.modules))"
    )
    ids, imported = listed.out.splitlines()
    assert {"attack:pgd", "attack:armour-signflip/signflip", "watermark:armour-watermarks/tail"} <= set(ids.split())
    assert imported == ""


def test_a_listing_for_a_backend_leaves_out_what_it_cannot_run(installation):
    def listed(backend):
        return {one["name"] for one in installation.armour("list", "attack", "--backend", backend, "--json").json}

    assert "pgd" in listed("torch") & listed("tensorflow")
    assert "square" in listed("numpy")
    assert "pgd" not in listed("numpy")


def test_each_broken_distribution_costs_only_itself(installation):
    failures = installation.armour("plugins", "--failed", "--json").json
    told = {failure["origin"]: failure for failure in failures if failure["origin"] != "armour"}
    assert set(told) == {*BROKEN, "armour-broken-interface"}
    assert "a_module_that_nobody_has" in told["armour-broken-import"]["message"]
    assert "the catalogue is on another disk" in told["armour-broken-hook"]["message"]
    assert "Did you mean armour_after_batch?" in told["armour-broken-misspelt"]["message"]
    assert "of_tomorrow" in told["armour-broken-interface"]["message"]
    brought = {one["name"]: one for one in installation.armour("plugins", "--json").json}
    assert {name: (brought[name]["status"], brought[name]["specs"]) for name in BROKEN} == dict.fromkeys(
        BROKEN, ("failed", 0)
    )
    assert (brought["armour-broken-interface"]["status"], brought["armour-broken-interface"]["specs"]) == ("loaded", 1)
    assert installation.armour("list", "attack", "--match", "*of_*", "--json").json[0]["name"] == "of_today"


@pytest.mark.parametrize("variables", [{"ARMOUR_BLOCK": "Armour_Broken-*"}, {"ARMOUR_ALLOW": "armour-sign*,other"}])
def test_what_is_not_let_in_is_not_imported(installation, variables):
    found = installation.python(
        "import sys, armour_core as a\n"
        "from armour_core import registry\n"
        "a.spec('attack', 'signflip'), a.spec('attack', 'pgd')\n"
        "print({d.name: d.status for d in registry.distributions()}['armour-broken-hook'])\n"
        "print(sorted(set(sys.modules) & {'broken_import', 'broken_hook', 'broken_misspelt', 'signflip'}))",
        **variables,
    )
    assert found.out == "blocked\n['signflip']\n", found.err


def test_strict_raises_the_first_failure(installation):
    found = installation.armour(
        "list", ARMOUR_STRICT="1", ARMOUR_ALLOW="armour-broken-import,armour-signflip", ARMOUR_BLOCK="armour"
    )
    assert found.code == 3
    assert "a_module_that_nobody_has" in found.err
    assert found.out == ""


def test_a_distribution_brings_a_kind_of_its_own_with_its_checks(installation):
    (listed,) = installation.armour("list", "watermark", "--json").json
    assert listed["id"] == "watermark:armour-watermarks/tail"
    (distribution,) = (d for d in installation.armour("plugins", "--json").json if d["name"] == "armour-watermarks")
    assert distribution["kinds"] == ["watermark"]
    checked = installation.armour("check", "watermark:tail", "--json")
    assert checked.code == 0
    assert {check["check"]: check["passed"] for check in checked.json} == {
        "finds_its_own_mark": True,
        "finds_no_mark_in_plain_content": True,
    }
    protocol = installation.python(
        "from armour_core import registry; print(registry.kind('Watermark').load_protocol().__name__)"
    )
    assert protocol.out == "Watermark\n", protocol.err


def test_checking_a_distribution_that_failed_is_a_failure(installation):
    checked = installation.armour("check", "armour-broken-hook", "--json")
    assert checked.code == 1
    assert [one["passed"] for one in checked.json] == [False]


@pytest.mark.full
def test_listing_costs_at_most_twice_the_import_of_its_bare_dependencies(installation):
    def fastest(call):
        seconds = []
        for _ in range(15):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    assert fastest(lambda: installation.armour("list")) <= 2 * fastest(
        lambda: installation.python("import numpy, attrs, click")
    )
