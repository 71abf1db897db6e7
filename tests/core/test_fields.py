"""A configuration's fields: every usual spelling is understood, everything else is refused by name."""

import math

import attrs
import numpy as np
import pytest
from attrs import frozen

from armour_core.errors import ConfigError
from armour_core.fields import (
    choice,
    flag,
    fraction,
    name_of,
    names_of,
    non_negative,
    non_negative_int,
    norm_field,
    number,
    positive,
    positive_int,
)


@frozen(kw_only=True)
class Sample:
    norm: str = norm_field("linf", "l2")
    steps: int = positive_int(40)
    skip: int = non_negative_int(0)
    rate: float = positive(0.1)
    decay: float = non_negative(0.0)
    share: float = fraction(0.5)
    angle: float = number(0.0, low=-180, high=180)
    mode: str = choice("up", "down")
    fast: bool = flag(True)
    loss: str = name_of("loss", "ce")
    attacks: tuple[str, ...] = names_of("attack")
    limit: int | None = positive_int(None)
    size: float | None = positive(2.0, optional=True)


@pytest.mark.parametrize(
    ("spelling", "norm"),
    [
        *((s, "linf") for s in ("linf", "Linf", "L_inf", "l-inf", "inf", "INF", math.inf, np.inf, "l∞", "linfinity")),
        *((s, "l2") for s in ("l2", "L2", "L_2", "l 2", "2", 2, 2.0, np.int64(2))),
    ],
)
def test_a_norm_may_be_spelled_in_every_usual_way(spelling, norm):
    assert Sample(norm=spelling).norm == norm


@pytest.mark.parametrize(
    "norm", ["l1", 1, "l0", 0, "l3", 3, True, None, "", "-inf", -math.inf, math.nan, np.zeros(2), "norm"]
)
def test_a_norm_that_the_attack_does_not_have_is_refused_with_those_it_has(norm):
    with pytest.raises(ConfigError, match=r"Sample\.norm is .*: give one of the norms linf or l2\."):
        Sample(norm=norm)


def test_defaults_are_the_first_that_is_named_or_the_one_that_is_given():
    assert (Sample().norm, Sample().mode) == ("linf", "up")

    @frozen(kw_only=True)
    class Given:
        norm: str | None = norm_field("linf", "l2", default=None)
        mode: str = choice("up", "down", default="down")

    assert (Given().norm, Given().mode, Given(norm="L2").norm) == (None, "down", "l2")


WRONG = {
    "steps": [0, -1, 1.0, 2.5, "3", True, None, math.nan, [1], np.float64(3), np.ones(1)],
    "skip": [-1, 0.0, False, "0", None],
    "rate": [0, -0.1, math.nan, math.inf, -math.inf, "0.1", True, None, np.float32("nan"), 1j, 10**400, np.array(0.1)],
    "decay": [-1e-9, math.nan, math.inf, "0", False, None],
    "share": [-0.01, 1.01, math.nan, "0.5", True, None],
    "angle": [-181, 180.1, math.inf, "0", True, None],
    "mode": ["UP", "sideways", "", 0, None, True],
    "fast": [0, 1, "yes", None, 1.0],
    "loss": ["", "1x", 3, None, "a b", len],
    "attacks": ["", "pgd,", "a b", 3, None, ["pgd", 1], [["pgd"]]],
    "limit": [0, -1, "1", 1.5],
    "size": [0, "1", math.inf],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_value_that_is_not_accepted_is_refused_by_class_field_and_value(name, value):
    with pytest.raises(ConfigError, match=rf"Sample\.{name} is .*: give ") as caught:
        Sample(**{name: value})
    assert attrs.fields_dict(Sample)[name].metadata["armour.accepts"] in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("steps", np.int32(7), 7),
        ("rate", 1, 1.0),
        ("rate", np.float64(0.25), 0.25),
        ("share", 0, 0.0),
        ("share", 1, 1.0),
        ("angle", -180, -180.0),
        ("fast", np.False_, False),
        ("loss", "Mean-Margin", "mean_margin"),
        ("loss", "Their-Dist/Focal", "Their-Dist/focal"),
        ("attacks", "pgd", ("pgd",)),
        ("attacks", "PGD, their-dist/Walk", ("pgd", "their-dist/walk")),
        ("attacks", ["pgd", "square"], ("pgd", "square")),
        ("attacks", (), ()),
        ("limit", None, None),
        ("limit", 3, 3),
        ("size", None, None),
    ],
)
def test_what_is_accepted_becomes_a_plain_value(name, value, kept):
    found = getattr(Sample(**{name: value}), name)
    assert found == kept
    assert type(found) is type(kept)


def test_two_spellings_of_one_configuration_are_equal():
    assert Sample(norm="L_inf", rate=1, steps=np.int64(5)) == Sample(norm="inf", rate=1.0, steps=5)
    assert hash(Sample(rate=1)) == hash(Sample(rate=1.0))


def test_without_a_default_a_field_must_be_given():
    @frozen(kw_only=True)
    class Needs:
        steps: int = positive_int()

    with pytest.raises(TypeError, match="steps"):
        Needs()


def test_a_long_value_is_cut_and_an_object_shows_its_type():
    with pytest.raises(ConfigError, match=r"\(list\)") as caught:
        Sample(steps=list(range(1000)))
    assert len(str(caught.value)) < 200


def test_a_choice_or_norm_field_without_options_is_refused_where_it_is_declared():
    with pytest.raises(ConfigError, match="choice"):
        choice()
    with pytest.raises(ConfigError, match="l7"):
        norm_field("linf", "l7")
