import pytest

from armour_core.errors import ConfigError
from armour_core.gates import Gate, judge


@pytest.mark.parametrize(
    ("expression", "values", "fails"),
    [
        ("robust_accuracy<0.4", [0.39], True),
        ("robust_accuracy<0.4", [0.4], False),
        (" robust_accuracy <= 40% ", [0.4], True),
        ("findings.high>0", [0], False),
        ("findings.high>=1", [1], True),
        ("robust_accuracy<4e-1", [0.9, 0.1], True),
        ("their-dist/their_attack.robust_accuracy<0.4", [0.1], True),
    ],
)
def test_a_gate_fails_where_its_condition_holds_for_any_value(expression, values, fails):
    assert judge(Gate.parse(expression), values).failed is fails


@pytest.mark.parametrize("expression", ["", "robust_accuracy", "<0.4", "a<b", "a<0.4.1", "a==0.4", "a<nan", "a<0.4 b"])
def test_what_is_no_condition_is_refused_with_an_example(expression):
    with pytest.raises(ConfigError, match=r"robust_accuracy<0\.4"):
        Gate.parse(expression)


def test_the_value_shown_is_the_one_furthest_on_the_wrong_side():
    assert judge(Gate.parse("a<0.5"), [0.4, 0.1, 0.9]).value == 0.1
    assert judge(Gate.parse("a>0.5"), [0.4, 0.1, 0.9]).value == 0.9


def test_a_metric_that_was_not_measured_is_no_pass():
    result = judge(Gate.parse("a<0.5"), [])
    assert result.failed
    assert result.value is None


def test_an_unknown_metric_is_refused_with_the_nearest_names():
    gate = Gate.parse("robust_acuracy<0.4")
    with pytest.raises(ConfigError, match="Did you mean robust_accuracy"):
        gate.check_metric(["robust_accuracy", "clean_accuracy"])
    with pytest.raises(ConfigError, match="It has: pgd"):
        gate.check_metric(["pgd"])
    gate.check_metric(["robust_acuracy"])
