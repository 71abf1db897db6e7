"""The whole way: URI, data, threat, probes, report on disk."""

import json
import sys
import textwrap

import numpy as np
import pytest
from attrs import frozen
from numpy.testing import assert_array_equal

import armour_core as armour
from armour_core import ConfigError, ContractError, DataError, UnknownPlugin, registry
from armour_core.findings import Finding, Measure
from armour_core.report import Report

W = np.random.default_rng(5).standard_normal((6, 3)).astype(np.float32)
X = np.random.default_rng(6).uniform(0, 1, (60, 6)).astype(np.float32)
Y = (X @ W).argmax(1)

MODULE = """
    from pathlib import Path
    import numpy as np
    W = np.array({weights})

    def load():
        Path("opened").touch()
        return lambda x: np.asarray(x) @ W
"""


@frozen(kw_only=True)
class Says:
    """A probe that finds what it is told to find."""

    value: float = 0.5
    metrics: tuple[str, ...] = ("health",)

    def run(self, model, data, ctx):
        measure = Measure.rate("health", round(100 * self.value), 100, "samples")
        yield Finding(id="T-1", title="Said", probe="probe:Says", severity="low", measures=(measure,))


@frozen(kw_only=True)
class Fails:
    """A probe that breaks off."""

    error: Exception

    def run(self, model, data, ctx):
        yield Finding(id="T-2", title="Half", probe="probe:Fails", severity="low")
        raise self.error


@frozen(kw_only=True)
class Sees:
    """A probe that keeps what it was given."""

    seen: dict

    def run(self, model, data, ctx):
        self.seen.update(model=model, data=data, ctx=ctx)
        return []


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    """A folder with a model by URI and data by URI."""
    name = f"model_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE.format(weights=W.tolist())))
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    monkeypatch.chdir(tmp_path)
    yield f"python:{name}:load"
    sys.modules.pop(name, None)


@pytest.fixture
def model():
    return armour.wrap(lambda x: x @ W, backend="numpy")


def untimed(plain):
    """The report without what a second run changes."""
    if isinstance(plain, dict):
        return {k: untimed(v) for k, v in plain.items() if k not in ("created", "seconds", "rows")}
    return [untimed(entry) for entry in plain] if isinstance(plain, list) else plain


def test_a_model_and_data_by_uri_become_a_report_on_disk(here, tmp_path):
    report = armour.scan(here, "npz:data.npz", threat="linf:0.1", out="out", seed=1)
    loaded = Report.load("out/report.json")
    assert loaded.to_dict() == report.to_dict()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert report.verdict in page
    worst, clean = report.findings
    assert (worst.metric, worst.n, clean.value) == ("robust_accuracy", 60, 1.0)
    assert report.model["uri"] == here
    assert report.data["samples"] == 60
    assert report.threat["eps"] == [0.1]
    assert [plugin["id"] for plugin in report.plugins] == ["attack:square", "attack:gaussian_noise"]
    curve = worst.evidence.curves[0]
    assert len(curve.x) == 9
    assert curve.x[0] == 0
    assert curve.mark == 0.1


def test_the_command_in_the_report_makes_it_again(here):
    from armour_plugins.probes.robustness import Robustness
    from click.testing import CliRunner

    from armour_core.cli import main
    from armour_core.engine.scan import scan

    report = scan(
        here, "npz:data.npz", threat="linf:0.05,0.1", probes=[Robustness(queries=30, pictures=2)], out="out", seed=4,
        samples=40, batch_size=16, bounds=(-1, 2), mean=[0.0], std=[1.0], outputs="logits",
    )  # fmt: skip
    import shlex

    words = shlex.split(report.command)
    assert words[:2] == ["armour", "scan"]
    assert report.findings[0].reproduce == report.command
    result = CliRunner().invoke(main, [*words[1:], "--json"])
    assert result.exit_code == 0, result.output
    assert untimed(json.loads(result.stdout)) == untimed(report.to_dict())


def test_objects_in_memory_are_scanned_and_the_call_is_given(model):
    report = armour.scan(model, (X, Y), threat="l2:0.3", samples=20)
    assert "armour.scan(model, data, threat='l2:0.3'" in report.command
    assert "samples=20" in report.command
    assert report.data["drawn"] == "20 of 60, with seed 0"
    assert report.findings[0].n == 20


def test_the_same_scan_finds_the_same(model):
    first, again = (armour.scan(model, (X, Y), threat="linf:0.1", seed=3) for _ in range(2))
    assert untimed(first.to_dict()) == untimed(again.to_dict())


def test_samples_are_drawn_with_the_seed(model):
    seen = []
    for seed in (0, 0, 1):
        kept = {}
        armour.scan(model, (X, Y), probes=[Sees(seen=kept)], samples=15, seed=seed)
        seen.append(kept["data"].index)
    assert_array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    kept = {}
    armour.scan(model, (X, Y), probes=[Sees(seen=kept)], samples=None)
    assert len(kept["data"]) == 60


@pytest.mark.parametrize("error", [ContractError("left the ball"), KeyError("defect"), DataError("odd data")])
def test_a_probe_that_fails_becomes_an_entry_and_the_others_go_on(model, error, tmp_path, monkeypatch):
    report = armour.scan(model, (X, Y), probes=[Fails(error=error), Says()], out=tmp_path / "out")
    broken, said = report.findings
    assert (broken.status, said.title) == ("error", "Said")
    assert type(error).__name__ in broken.summary
    assert not report.passed
    assert "did not finish" in (tmp_path / "out" / "report.html").read_text()
    monkeypatch.setenv("ARMOUR_STRICT", "1")
    with pytest.raises(type(error)):
        armour.scan(model, (X, Y), probes=[Fails(error=error)])


def test_a_threshold_decides_whether_it_passed(model):
    assert not armour.scan(model, (X, Y), probes=[Says(value=0.3)], fail_on=["health<0.4"]).passed
    held = armour.scan(model, (X, Y), probes=[Says(value=0.5)], fail_on=["health<0.4", "findings.error>0"])
    assert held.passed
    assert [gate.value for gate in held.gates] == [0.5, 0.0]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"threat": "linf:-1"}, ConfigError, "-1"),
        ({"threat": 0.1}, ConfigError, "float"),
        ({"probes": []}, ConfigError, "robustness"),
        ({"probes": ["robustnes"]}, UnknownPlugin, "robustness"),
        ({"fail_on": ["robust_acc<0.4"]}, ConfigError, "robust_accuracy"),
        ({"fail_on": ["robust_accuracy=0.4"]}, ConfigError, "not understood"),
        ({"seed": "x"}, ConfigError, "seed"),
        ({"samples": 0}, ConfigError, "samples"),
        ({"batch_size": -1}, ConfigError, "batch_size"),
        ({"out": "data.npz"}, ConfigError, "is a file"),
        ({"out": "data.npz/below"}, ConfigError, "cannot be written"),
        ({"data": "npz:none.npz"}, DataError, "no file"),
        ({"data": "npz:data.npz?y=z"}, DataError, "holds x, y"),
        ({"mean": [0.5]}, ConfigError, "go together"),
    ],
)
def test_what_cannot_be_scanned_is_said_before_the_model_is_opened(here, tmp_path, change, error, says):
    given = {"data": "npz:data.npz"} | change
    with pytest.raises(error, match=says):
        armour.scan(here, given.pop("data"), **given)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("arrays", "settings", "says"),
    [
        ({"x": 3 * X}, {}, "bounds"),
        ({"x": X * np.nan}, {}, "NaN"),
        ({"y": Y + 3}, {}, "no class for"),
        ({"x": X[:, :4]}, {}, "shape"),
        ({"x": X[:0], "y": Y[:0]}, {}, "no samples"),
        ({}, {"outputs": "probabilities"}, "probabilities"),
    ],
)
def test_data_that_does_not_fit_the_model_is_said_before_any_probe_runs(here, arrays, settings, says):
    np.savez("data.npz", **({"x": X, "y": Y} | arrays))
    seen = {}
    with pytest.raises(DataError, match=says):
        armour.scan(here, "npz:data.npz", probes=[Sees(seen=seen)], **settings)
    assert not seen


def test_a_metric_that_turns_out_missing_does_not_cost_the_report(model, tmp_path):
    @frozen
    class Undeclared:
        def run(self, model, data, ctx):
            return []

    with pytest.raises(ConfigError, match="no metric 'health'"):
        armour.scan(model, (X, Y), probes=[Undeclared()], out=tmp_path, fail_on=["health<1"])
    assert Report.load(tmp_path / "report.json").findings == ()


def test_a_slip_of_units_is_remarked_on(model):
    report = armour.scan(model, (X, Y), threat="linf:8", probes=[Says()])
    assert any("mid-grey" in warning for warning in report.warnings)


def test_settings_beside_a_wrapped_model_are_not_used_and_that_is_said(model):
    report = armour.scan(model, (X, Y), probes=[Says()], bounds=(0, 5))
    assert report.model["bounds"] == [0.0, 1.0]
    assert any("own settings hold" in warning for warning in report.warnings)


def test_without_jinja_the_json_is_written_and_the_report_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "armour_plugins.reporters.html", raising=False)
    armour.scan(model, (X, Y), probes=[Says()], out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert any("armour[report]" in warning for warning in Report.load(tmp_path / "report.json").warnings)


def test_an_installed_probe_that_was_not_asked_for_is_listed_as_untested(model):
    registry.register(Says, kind="probe", name="test_says")
    try:
        report = armour.scan(model, (X, Y), threat="linf:0.1", samples=10)
        assert "test_says" in report.untested
        asked = armour.scan(model, (X, Y), probes=["test_says"])
        assert "robustness" in asked.untested
        assert "test_says" not in asked.untested
    finally:
        registry.refresh()
