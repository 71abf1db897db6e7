"""Configurations as plain values, and back."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from attrs import field, frozen

from armour_core import config, registry
from armour_core.errors import ConfigError
from armour_core.fields import norm_field, positive, positive_int


@frozen(kw_only=True)
class Inner:
    rate: float = positive(0.5)


@frozen(kw_only=True)
class Outer:
    norm: str = norm_field("linf", "l2")
    steps: int = positive_int(40)
    rel_step: float | None = positive(None)
    sizes: tuple[int, ...] = (1, 2)
    path: Path = field(default=Path("a/b"), converter=Path)
    options: dict[str, float] = field(factory=dict, hash=False)
    stages: tuple[Inner, ...] = ()
    derived: int = field(init=False, default=3)
    extra: object = None


@pytest.fixture
def registered(monkeypatch):
    """A registry of this test's own, in which the two classes have names."""
    monkeypatch.setattr(registry, "_registry", registry.Registry(registry.discovery.discover()))
    registry.register(Inner, kind="defense", name="tst_inner")
    registry.register(Outer, kind="attack", name="tst_outer")


FULL = Outer(
    norm="L2", steps=np.int64(3), rel_step=1, sizes=[4, 5], options={"a": np.float32(0.5)}, stages=(Inner(rate=2),)
)


def test_settings_survive_json(registered):
    plain = json.loads(json.dumps(config.to_dict(FULL), allow_nan=False))
    assert plain["stages"] == [{"plugin": "defense:tst_inner", "config": {"rate": 2.0}}]
    assert "derived" not in plain
    again = config.from_dict("attack", "tst_outer", plain)
    assert again.sizes == (4, 5)
    assert again.stages == FULL.stages
    assert config.to_dict(again) == plain
    assert config.config_hash(again) == config.config_hash(FULL)


def test_the_hash_tells_settings_apart_and_not_spellings(registered):
    assert config.config_hash(Outer(norm="L2", rel_step=1)) == config.config_hash(Outer(norm=2, rel_step=1.0))
    different = {config.config_hash(Outer(**given)) for given in ({}, {"steps": 41}, {"norm": "l2"}, {"sizes": (2, 1)})}
    assert len(different) == 4
    assert config.config_hash(Inner()) == "76cc9dea7f7510d7"  # what a stored run is compared with


def test_a_configured_plugin_is_known_by_its_id_and_settings(registered):
    assert config.configured_id(Inner()) == ("defense:tst_inner", {"rate": 0.5})

    @frozen
    class Unregistered:
        a: int = 1

    id, settings = config.configured_id(Unregistered())
    assert id.endswith(":test_a_configured_plugin_is_known_by_its_id_and_settings.<locals>.Unregistered")
    assert settings == {"a": 1}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (len, r"Outer\.extra"),
        (math.inf, r"Outer\.extra"),
        (np.zeros(3), r"Outer\.extra"),
        ([1, {"deep": object()}], r"Outer\.extra\[1\]\['deep'\]"),
        ({1: 2}, r"Outer\.extra"),
        (b"bytes", r"Outer\.extra"),
    ],
)
def test_a_setting_without_a_plain_form_is_refused_by_name(registered, value, where):
    with pytest.raises(ConfigError, match=where):
        config.to_dict(Outer(extra=value))


@pytest.mark.parametrize("value", [None, True, np.True_, 1, 1.5, "a", (), [1, 2], {"a": [None]}, {"b", "a"}, Path("x")])
def test_plain_values_have_a_plain_form(registered, value):
    json.dumps(config.to_dict(Outer(extra=value)), allow_nan=False)


def test_what_is_no_attrs_object_has_no_readable_settings():
    with pytest.raises(ConfigError, match="declare it with"):
        config.to_dict(object())


def test_settings_that_do_not_fit_are_refused(registered):
    with pytest.raises(ConfigError, match="has no setting 'stepz'"):
        config.from_dict("attack", "tst_outer", {"stepz": 1})
