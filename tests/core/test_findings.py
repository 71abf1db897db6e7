import pytest

from armour_core.errors import ConfigError, ContractError
from armour_core.findings import FAILURE_RATE, Finding, Measure, failed
from armour_core.intervals import wilson


def rate(k, n=100):
    return Measure.rate("attack_success_rate", k, n, "samples")


def test_a_rate_carries_its_wilson_interval():
    measure = rate(30)
    assert (measure.value, measure.n) == (0.3, 100)
    assert measure.interval == wilson(30, 100)


def test_a_rate_of_nothing_knows_nothing():
    assert rate(0, 0).interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({"declared": rate(0, 1000)}, "info"),
        ({"declared": rate(0, 30)}, "low"),
        ({"declared": rate(0, 1), "black_box": rate(0, 1), "smaller_budget": rate(0, 1)}, "low"),
        ({"declared": rate(1, 1)}, "high"),
        ({"declared": rate(2)}, "low"),
        ({"declared": rate(10)}, "medium"),
        ({"declared": rate(80)}, "high"),
        ({"declared": rate(80), "smaller_budget": rate(80)}, "critical"),
        ({"declared": rate(80), "black_box": rate(80)}, "critical"),
        ({"declared": rate(80), "black_box": rate(3), "smaller_budget": rate(10)}, "high"),
        ({}, "info"),
    ],
)
def test_the_worst_step_that_holds_decides(facts, severity):
    assert FAILURE_RATE.judge(facts)[0] == severity


def test_the_pessimistic_end_of_the_interval_is_compared():
    assert wilson(45, 100)[1] > 0.5 > 0.45
    assert FAILURE_RATE.judge({"declared": rate(45)})[0] == "high"
    assert FAILURE_RATE.judge({"declared": rate(450, 1000)})[0] == "medium"


def test_the_quoted_rule_holds_every_limit_and_the_reason_names_the_one_that_decided():
    for step in FAILURE_RATE.steps:
        assert f"{step.severity} from {step.at_least:.0%} {step.words}" in FAILURE_RATE.text
    assert "at half of the declared eps" in FAILURE_RATE.judge({"smaller_budget": rate(90)})[1]


def test_the_headline_of_a_finding_is_its_first_measure():
    finding = Finding(id="A-1", title="t", probe="probe:x", severity="low", measures=(rate(7), rate(9)))
    assert (finding.metric, finding.value, finding.n) == ("attack_success_rate", 0.07, 100)
    assert finding.interval == wilson(7, 100)
    assert finding.denominator == "samples"
    empty = Finding(id="A-1", title="t", probe="probe:x", severity="low")
    assert empty.value is empty.interval is empty.n is None


def test_a_fingerprint_is_of_the_question_not_of_the_answer():
    one = Finding(id="A-1", title="9 of 10", probe="p", severity="high", measures=(rate(90),), scope="linf 0.1")
    other = Finding(id="A-1", title="2 of 10", probe="p", severity="low", measures=(rate(20),), scope="linf 0.1")
    elsewhere = Finding(id="A-1", title="9 of 10", probe="p", severity="high", measures=(rate(90),), scope="l2 1")
    assert one.fingerprint == other.fingerprint != elsewhere.fingerprint


@pytest.mark.parametrize(("name", "value"), [("severity", "awful"), ("status", "maybe")])
def test_severity_and_status_are_of_a_fixed_list(name, value):
    with pytest.raises(ConfigError, match=value):
        Finding(**{"id": "A", "title": "t", "probe": "p", "severity": "low", name: value})


def test_a_failure_is_an_entry_that_quotes_the_error():
    entry = failed("probe:robustness", ContractError("pgd left the ball"))
    assert entry.status == "error"
    assert entry.summary == "ContractError: pgd left the ball"
