import numpy as np
import pytest

from armour_core.errors import ConfigError
from armour_core.threat import Threat


@pytest.mark.parametrize(
    ("text", "norm", "eps"),
    [
        ("linf:8/255", "linf", (8 / 255,)),
        ("Linf: 8 / 255 ", "linf", (8 / 255,)),
        ("inf:.1", "linf", (0.1,)),
        ("l2:0.5", "l2", (0.5,)),
        ("L2:5e-1", "l2", (0.5,)),
        ("l1:12", "l1", (12.0,)),
        ("l0:5", "l0", (5.0,)),
        ("linf:0.3,0.1,0.2,0.1", "linf", (0.1, 0.2, 0.3)),
        ("linf:0,1/255,2/255", "linf", (1 / 255, 2 / 255)),
        ("linf:0.1..0.2:3", "linf", (0.1, 0.15, 0.2)),
    ],
)
def test_what_a_person_writes_is_understood(text, norm, eps):
    threat = Threat.parse(text)
    assert threat.norm == norm
    np.testing.assert_allclose(threat.eps, eps, rtol=1e-15)
    assert threat.at == max(eps)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8/255", "no colon"),
        ("linf", "no colon"),
        ("", "no colon"),
        ("l7:0.1", "norm 'l7' is unknown"),
        (":0.1", "norm '' is unknown"),
        ("linf:", "no eps"),
        ("linf: ", "no eps"),
        ("linf:-0.1", "-0.1"),
        ("linf:0.1,-0.2", "-0.2"),
        ("linf:nan", "nan"),
        ("linf:inf", "inf"),
        ("linf:1e999", "1e999"),
        ("linf:0", "no change at all"),
        ("linf:1/0", "1/0"),
        ("linf:eight", "'eight' is no number"),
        ("linf:0.1,,0.2", "'' is no number"),
        ("linf:0.2..0.1", "smaller"),
        ("linf:0.1..0.2:1", "2 or more"),
        ("linf:0.1..", "'' is no number"),
        ("l0:2.5", "whole numbers"),
    ],
)
def test_what_is_no_threat_is_refused_with_examples(text, says):
    with pytest.raises(ConfigError) as caught:
        Threat.parse(text)
    assert says in str(caught.value)
    assert ":" in str(caught.value)


def test_another_type_is_refused_and_a_threat_is_taken():
    with pytest.raises(ConfigError, match="float"):
        Threat.of(0.1)
    threat = Threat.parse("l2:1")
    assert Threat.of(threat) is threat
    assert Threat.of("l2:1") == threat


def test_one_eps_is_swept_in_eighths_and_several_are_taken_as_given():
    np.testing.assert_allclose(Threat.parse("linf:0.8").sweep, np.arange(1, 9) / 10)
    assert Threat.parse("linf:0.8").sweep[-1] == 0.8
    assert Threat.parse("linf:0.1,0.5").sweep == (0.1, 0.5)
    assert Threat.parse("l0:3").sweep == (1, 2, 3)
    assert len(Threat.parse("linf:0.02..0.1").sweep) == 8


def test_an_eps_is_written_as_it_was_given():
    threat = Threat.parse("linf:8/255")
    assert [threat.name(eps) for eps in threat.sweep] == [f"{k}/255" for k in range(1, 9)]
    assert threat.name(0.0) == "0"
    assert Threat.parse("l2:0.5").name(0.25) == "0.25"
    assert "8/255" in threat.words


@pytest.mark.parametrize(
    ("text", "bounds", "says"),
    [
        ("linf:8/255", (0, 1), ""),
        ("linf:8", (0, 255), ""),
        ("linf:8/255", (0, 255), "linf:8 where bounds are (0, 255)"),
        ("linf:8", (0, 1), "mid-grey"),
        ("l2:8", (0, 1), ""),
    ],
)
def test_a_slip_of_units_is_remarked_on(text, bounds, says):
    remarks = Threat.parse(text).remarks(bounds)
    assert says in " ".join(remarks)
    assert bool(remarks) is bool(says)
