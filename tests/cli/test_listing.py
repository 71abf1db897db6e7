"""`list`, `show` and `plugins`: what is installed, told to people and to programs."""

import json

import pytest

FIELDS = {"id", "kind", "name", "summary", "tags", "needs", "aliases", "reference", "revision", "origin"}


def ids(done):
    return [one["id"] for one in json.loads(done.stdout)]


def test_a_listing_has_every_field_that_programs_rely_on(armour):
    listed = json.loads(armour("list", "attack", "--json").stdout)
    assert all(set(one) >= FIELDS for one in listed)
    assert (
        listed[0] | {"tags": ["linf", "white-box"], "needs": ["autodiff", "scores"], "aliases": ["LinfPGD"]}
        == listed[0]
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["attack"], ["attack:pgd", "attack:square"]),
        (["Attack", "--match", "linf*"], ["attack:pgd"]),
        (["--match", "*tail"], ["stamp:their-dist/tail", "watermark:their-dist/tail"]),
        (["--tag", "linf", "--tag", "white-box"], ["attack:pgd"]),
        (["attack", "--backend", "numpy"], ["attack:square"]),
        (["attack", "--backend", "Torch"], ["attack:pgd", "attack:square"]),
        (["loss"], []),
    ],
)
def test_a_listing_is_filtered(armour, arguments, found):
    assert ids(armour("list", *arguments, "--json")) == found


@pytest.mark.parametrize(
    ("arguments", "told"), [(["atack"], "Did you mean attack?"), (["--backend", "troch"], "Did you mean torch?")]
)
def test_what_does_not_exist_is_wrong_usage(armour, arguments, told):
    done = armour("list", *arguments, "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr


def test_people_are_told_of_failures_beside_the_listing(armour):
    done = armour("list")
    assert "attack:pgd" in done.stdout
    assert "1 plugins failed to load: armour plugins --failed" in done.stderr
    assert "Nothing that is installed matches." in armour("list", "loss").stderr


def test_a_plugin_is_shown_with_its_settings_and_their_meaning(armour):
    shown = json.loads(armour("show", "attack:LinfPGD", "--json").stdout)
    assert set(shown) >= FIELDS
    assert shown["doc"].startswith("Climb the loss.")
    assert shown["version"] == "1.2"
    assert shown["unavailable"] is None
    steps = {setting["name"]: setting for setting in shown["parameters"]}["steps"]
    assert (steps["default"], steps["type"], steps["doc"]) == (40, "int", "gradient steps in one round")
    assert steps["accepts"] == "a whole number of at least 1"
    people = armour("show", "pgd").stdout
    for text in ("Climb the loss.", "arXiv:1706.06083", "gradient steps in one round", "armour 1.2", "run_attack"):
        assert text in people


def test_a_plugin_that_cannot_be_loaded_is_shown_all_the_same(armour):
    done = armour("show", "backend:torch", "--json")
    assert done.exit_code == 0
    assert "pip install 'armour[torch]'" in json.loads(done.stdout)["unavailable"]
    assert "pip install 'armour[torch]'" in armour("show", "torch").stdout


def test_a_name_that_two_kinds_have_needs_its_kind(armour):
    done = armour("show", "tail")
    assert done.exit_code == 2
    assert "stamp:tail and watermark:tail" in done.stderr
    assert armour("show", "stamp:tail").exit_code == 0
    assert armour("show", "nothing").exit_code == 2


def test_distributions_are_listed_with_what_went_wrong(armour):
    listed = {one["name"]: one for one in json.loads(armour("plugins", "--json").stdout)}
    assert listed["their-dist"]["kinds"] == ["watermark", "stamp"]
    assert listed["broken"]["status"] == "failed"
    assert listed["broken"]["failures"] == json.loads(armour("plugins", "--failed", "--json").stdout)
    assert "ImportError: no [module] named x" in armour("plugins", "--failed").stdout
    assert "their-dist" in armour("plugins").stdout


@pytest.mark.parametrize("failures", [[]])
def test_without_failures_it_says_so(armour):
    assert armour("plugins", "--failed").stdout == "Nothing failed.\n"
    assert json.loads(armour("plugins", "--failed", "--json").stdout) == []
