"""A Spec: what is known of a plugin before anything of it is imported."""

import attrs
import pytest

from armour_core.errors import ConfigError
from armour_core.specs import API_VERSION, Spec, normalise


def test_a_single_word_may_stand_for_a_collection():
    spec = Spec("attack", "pgd", "m:A", aliases="LinfPGD", tags="white-box", needs="autodiff")
    assert (spec.aliases, spec.tags, spec.needs) == (("LinfPGD",), frozenset({"white-box"}), frozenset({"autodiff"}))


@pytest.mark.parametrize(
    ("origin", "found"), [("", "attack:pgd"), ("armour", "attack:pgd"), ("their-dist", "attack:their-dist/pgd")]
)
def test_the_id_names_the_distribution_unless_it_is_armours_own(origin, found):
    assert Spec("attack", "pgd", "m:A", origin=origin).id == found


@pytest.mark.parametrize("name", ["PGD", "my-attack", "", "1x", "_x", "a b", "a/b", "a:b", "pgd\n", "ä", None, 3])
def test_a_name_or_kind_that_is_not_snake_case_is_refused(name):
    with pytest.raises(ConfigError, match="snake_case"):
        Spec("attack", name, "m:A")
    with pytest.raises(ConfigError, match="snake_case"):
        Spec(name, "pgd", "m:A")


@pytest.mark.parametrize("target", ["module", "module:", ":Class", "a b:C", "m:C()", "m:C\n", "", None, len])
def test_a_target_that_names_no_class_in_a_module_is_refused(target):
    with pytest.raises(ConfigError, match=r"package\.module:Class"):
        Spec("attack", "pgd", target)


def test_specs_are_values():
    spec = Spec("attack", "pgd", "m:A", tags={"a", "b"})
    assert spec == Spec("attack", "pgd", "m:A", tags=("b", "a"))
    assert hash(spec) == hash(attrs.evolve(spec))
    assert spec.api == API_VERSION
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        spec.name = "other"


@pytest.mark.parametrize("name", ["hop_skip_jump", "Hop-Skip-Jump", " HOP_SKIP_JUMP "])
def test_hyphens_case_and_surrounding_space_are_the_same_in_a_lookup(name):
    assert normalise(name) == "hop_skip_jump"
