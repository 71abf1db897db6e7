import json

import numpy as np
import pytest
from attrs import evolve

from armour_core.errors import ConfigError, DataError, IntegrityError
from armour_core.evidence import Answer, Curve, Evidence, Feature, Picture, Sample, Series, Table
from armour_core.findings import Finding, Measure, Remedy, failed
from armour_core.gates import Gate
from armour_core.report import Report, plain


def finding(severity="high", **changes):
    evidence = Evidence(
        curves=(Curve(title="c", x_label="eps", y_label="y", x=(0.0, 1.0), series=(Series(name="s", y=(1.0, 0.0)),)),),
        samples=(
            Sample(
                index=3,
                label=Answer(label=1),
                before=Answer(label=1, confidence=0.9),
                after=Answer(label=0),
                by="pgd",
                size="linf 0.1",
                pictures=(Picture(role="original", src="data:,", width=1, height=1, alt="a"),),
                features=(Feature(name="f", before=0.0, after=1.0),),
            ),
        ),
        tables=(Table(title="t", columns=("a", "b"), rows=(("1", "2"),)),),
        notes=("n",),
    )
    made = Finding(
        id="SEC-EVA-001",
        title="Small changes flip 9 of 10 predictions",
        probe="probe:robustness",
        severity=severity,
        measures=(
            Measure.rate("robust_accuracy", 10, 100, "samples"),
            Measure.rate("clean_accuracy", 97, 100, "samples"),
        ),
        evidence=evidence,
        remedies=(Remedy(plugin="defense:trades", advice="train", available=False),),
        tags=("owasp:ML01",),
        cost={"forward": 12.0},
    )
    return evolve(made, **changes)


def test_a_report_survives_json_whole():
    report = Report(findings=(finding(), failed("probe:x", ValueError("no"))), model={"bounds": (0, 1)}, seconds=1.5)
    report = report.gated([Gate.parse("robust_accuracy<0.4")])
    again = Report.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False)))
    assert again.findings == report.findings
    assert again.gates == report.gates
    assert again.to_dict() == report.to_dict()


def test_the_json_holds_the_headline_flat_for_readers_that_want_no_schema():
    entry = Report(findings=(finding(),)).to_dict()["findings"][0]
    assert entry["value"] == 0.1
    assert entry["interval"] == list(finding().interval)
    assert (entry["n"], entry["metric"], entry["denominator"]) == (100, "robust_accuracy", "samples")
    assert entry["fingerprint"] == finding().fingerprint


@pytest.mark.parametrize(
    ("severity", "passed"), [("critical", False), ("high", False), ("medium", True), ("info", True)]
)
def test_without_gates_high_does_not_pass(severity, passed):
    assert Report(findings=(finding(severity),)).passed is passed


def test_gates_decide_where_there_are_any():
    report = Report(findings=(finding("high"),))
    assert report.gated([Gate.parse("robust_accuracy<0.05")]).passed
    assert not report.gated([Gate.parse("robust_accuracy<0.05"), Gate.parse("findings.high>0")]).passed
    with pytest.raises(ConfigError, match="Did you mean"):
        report.gated([Gate.parse("robust_acc<0.5")])


def test_a_probe_that_broke_off_never_passes():
    report = Report(findings=(finding("info"), failed("probe:x", ValueError("no"))))
    assert not report.passed
    assert not report.gated([Gate.parse("robust_accuracy<0.05")]).passed


def test_the_verdict_is_the_worst_that_was_shown_and_errors_are_counted_apart():
    low, high = finding("low", title="low"), finding("high", title="high")
    report = Report(findings=(failed("probe:x", ValueError("no")), low, high))
    assert report.verdict == "high"
    assert [f.severity for f in report.ranked] == ["high", "low", "info"]
    assert report.totals == {"critical": 0, "high": 1, "medium": 0, "low": 1, "info": 0, "error": 1}
    assert Report(findings=(failed("probe:x", ValueError("no")),)).verdict == "Nothing was tested"


def test_a_saved_report_is_loaded_again(tmp_path):
    report = Report(findings=(finding(),))
    assert Report.load(report.save(tmp_path / "report.json")).findings == report.findings


@pytest.mark.parametrize("name", ["report.docx", "report", ".json"])
def test_an_unknown_suffix_lists_those_that_there_are(tmp_path, name):
    with pytest.raises(ConfigError, match=r"\.html, \.json"):
        Report().save(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", IntegrityError),
        ('{"schema_version": 1, "findings": [', IntegrityError),
        ("[]", DataError),
        ('{"schema_version": 2}', DataError),
        ('{"schema_version": 1, "findings": [{"id": "x"}]}', DataError),
        ('{"schema_version": 1, "findings": 3}', DataError),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, content, error):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(error):
        Report.load(path)


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.json"):
        Report.load(tmp_path / "none.json")


def test_plain_values_are_what_strict_json_takes():
    value = {
        "a": np.float32(0.5),
        1: np.arange(2),
        "inf": float("inf"),
        "set": {2, 1},
        "object": Gate.parse("a<1").sign,
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "a": 0.5, "1": [0, 1], "inf": "inf", "set": [1, 2], "object": "<",
    }  # fmt: skip
