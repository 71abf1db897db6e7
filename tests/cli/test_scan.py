"""`armour scan` as a person or a pipeline calls it: exit status, messages, nothing but JSON where JSON is asked."""

import contextlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from attrs import frozen
from click.testing import CliRunner

from armour_core import registry
from armour_core.cli import main
from armour_core.errors import ContractError
from armour_core.findings import Finding, Measure
from armour_core.report import Report

W = np.random.default_rng(5).standard_normal((6, 3)).astype(np.float32)
X = np.random.default_rng(6).uniform(0, 1, (30, 6)).astype(np.float32)
Y = (X @ W).argmax(1)
QUICK = ("--set", "robustness.queries=10", "--threat", "linf:0.05,0.1")

MODULE = """
    import sys
    import numpy as np
    import armour_core as armour

    W = np.array({weights})

    def load():
        print("a factory that prints")
        return lambda x: np.asarray(x) @ W

    def wrapped():
        return armour.wrap(lambda x: np.asarray(x) @ W, backend="numpy", name="mine", bounds=(-1, 2))

    def labels():
        return lambda x: (np.asarray(x) @ W).argmax(1)

    def probabilities():
        def net(x):
            z = np.exp(np.asarray(x) @ W)
            return z / z.sum(1, keepdims=True)
        return net

    def overflowing():
        return lambda x: np.asarray(x) @ W * np.inf

    def broken():
        raise RuntimeError("no weights here")
"""


@frozen(kw_only=True)
class Says:
    """Finds what it is told."""

    value: float = 0.5
    metrics: tuple[str, ...] = ("health",)

    def run(self, model, data, ctx):
        measure = Measure.rate("health", round(100 * self.value), 100, "samples")
        return [Finding(id="T-1", title="Said", probe="probe:says", severity="low", measures=(measure,))]


@frozen(kw_only=True)
class Breaks:
    """A probe whose plugin broke a contract, or has a defect."""

    defect: bool = False

    def run(self, model, data, ctx):
        raise KeyError("defect") if self.defect else ContractError("left the ball")


@pytest.fixture(scope="module", autouse=True)
def probes():
    registry.register(Says, kind="probe", name="says")
    registry.register(Breaks, kind="probe", name="breaks")
    yield
    registry.refresh()


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    name = f"nets_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE.format(weights=W.tolist())))
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def scan(here):
    def run(*options, model="load", data="npz:data.npz", threat=QUICK):
        return CliRunner().invoke(main, ["scan", f"python:{here}:{model}", "--data", data, *threat, *options])

    return run


def test_a_scan_says_the_verdict_and_where_the_report_is(scan, tmp_path):
    result = scan()
    assert result.exit_code == 0, result.output
    report = Report.load("armour-report/report.json")
    assert report.verdict in result.stdout
    assert "Report: armour-report/report.html" in result.stdout
    assert "robust_accuracy: " in result.stdout
    assert "% (95% interval " in result.stdout
    assert result.stderr.startswith("armour ")
    assert "30 done" in result.stderr or "done" in result.stderr


def test_json_is_the_report_and_nothing_else(scan):
    result = scan("--json", "--out", "out")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(Path("out/report.json").read_bytes())
    assert "a factory that prints" in result.stderr


def test_quiet_leaves_only_the_outcome(scan):
    result = scan("--quiet")
    assert result.stderr == ""
    assert "Report:" in result.stdout


@pytest.mark.parametrize(
    ("expressions", "code"),
    [
        (["robust_accuracy<0"], 0),
        (["robust_accuracy<=1"], 1),
        (["robust_accuracy<0", "clean_accuracy<101%"], 1),
        (["square.robust_accuracy<1.1"], 1),
        (["findings.error>0"], 0),
    ],
)
def test_a_threshold_that_is_not_met_exits_with_1(scan, expressions, code):
    result = scan(*(word for expression in expressions for word in ("--fail-on", expression)))
    assert result.exit_code == code, result.output
    for expression in expressions:
        assert f"--fail-on {expression.partition('<')[0]}" in result.stdout.replace("101%", "1.01")
    assert ("FAILS" in result.stdout) is bool(code)


def test_without_a_threshold_a_finished_scan_exits_with_0_whatever_it_found(scan):
    result = scan(threat=("--threat", "linf:1", "--set", "robustness.queries=30"))
    assert result.exit_code == 0
    assert "Critical: Changes of at most 1 (linf) flip all correct predictions" in result.stdout


def test_settings_of_a_probe_can_be_changed(scan):
    scan("--probe", "says", "--set", "says.value=0.25", threat=())
    report = Report.load("armour-report/report.json")
    assert report.findings[0].value == 0.25
    assert "--set says.value=0.25" in report.command


def test_settings_of_the_model_reach_it(scan):
    result = scan("--bounds", "-1:3", "--mean", "0.5", "--std", "0.25", "--num-classes", "3", "--outputs", "logits")
    assert result.exit_code == 0, result.output
    report = Report.load("armour-report/report.json")
    assert report.model["bounds"] == [-1, 3]
    assert report.settings["mean"] == [0.5]
    assert "--bounds=-1:3" in report.command or "--bounds -1:3" in report.command


def test_a_wrapped_model_keeps_its_own_settings(scan):
    result = scan("--bounds", "0:1", model="wrapped")
    assert "own settings hold" in result.stderr
    assert Report.load("armour-report/report.json").model["name"] == "mine"


def test_labels_and_probabilities_are_models_too(scan):
    assert scan("--set", "robustness.label_queries=60", model="labels").exit_code == 0
    assert scan("--outputs", "probabilities", model="probabilities").exit_code == 0


@pytest.mark.parametrize(
    ("options", "model", "says"),
    [
        (["--threat", "linf:-0.1"], "load", "-0.1"),
        (["--threat", "linf:nan"], "load", "nan"),
        (["--threat", "linf:inf"], "load", "inf"),
        (["--threat", "linf:"], "load", "no eps"),
        (["--threat", "l7:0.1"], "load", "unknown"),
        (["--threat", "l0:2"], "load", "works in norm l0"),
        (["--probe", "robustnes"], "load", "Did you mean robustness"),
        (["--set", "robustness.querys=1"], "load", "has no setting 'querys'. Did you mean queries"),
        (["--set", "pictures=0"], "load", "PROBE.KEY=VALUE"),
        (["--set", "robustness.pictures=-1"], "load", "at least 0"),
        (["--fail-on", "robust_acuracy<0.4"], "load", "Did you mean robust_accuracy"),
        (["--fail-on", "robust_accuracy"], "load", "not understood"),
        (["--set", "robustness.attacks=square,pdg"], "load", "No attack is named 'pdg'"),
        (["--seed", "x"], "load", "--seed"),
        (["--samples", "0"], "load", "--samples"),
        (["--samples", "many"], "load", "--samples"),
        (["--batch-size", "0"], "load", "batch_size"),
        (["--bounds", "0,1"], "load", "LO:HI"),
        (["--bounds", "1:0"], "load", "bounds"),
        (["--mean", "a"], "load", "--mean"),
        (["--mean", "0.5"], "load", "go together"),
        (["--mean", "0.5", "--std", "0"], "load", "std"),
        (["--outputs", "logit"], "load", "logit"),
        (["--outputs", "probabilities"], "load", "probabilities"),
        (["--num-classes", "7"], "load", "num_classes"),
        (["--device", "cuda:9"], "load", "cuda:9"),
        (["--data", "npz:none.npz"], "load", "there is no file"),
        (["--data", "npz:data.npz?y=labels"], "load", "holds x, y"),
        (["--data", "npz:onehot.npz"], "load", "one-hot"),
        (["--data", "npz:float.npz"], "load", "astype(int)"),
        (["--data", "npz:negative.npz"], "load", "negative"),
        (["--data", "npz:large.npz"], "load", "no class for"),
        (["--data", "npz:short.npz"], "load", "labels for 30 samples"),
        (["--data", "npz:empty.npz"], "load", "no samples"),
        (["--data", "npz:nan.npz"], "load", "NaN"),
        (["--data", "npz:inf.npz"], "load", "infinite"),
        (["--data", "npz:normalised.npz"], "load", "looks normalised"),
        (["--data", "npz:normalised.npz"], "load", "On the command line: --bounds LO:HI, --mean and --std."),
        (["--data", "npz:narrow.npz"], "load", "does not take x of shape"),
        (["--data", "npz:truncated.npz"], "load", "damaged"),
        (["--data", "npz:pickle.npz"], "load", "allow_pickle=True"),
        (["--data", "csvv:a"], "load", "Data can be"),
        (["--out", "data.npz"], "load", "is a file"),
        ([], "nothing", "has no 'nothing'"),
        ([], "broken", "raised RuntimeError: no weights here"),
        ([], "probabilities", "probabilities"),
        ([], "probabilities", "On the command line: --outputs."),
        ([], "overflowing", "not finite"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_2(scan, here, options, model, says):
    arrays = {
        "onehot": (X, np.eye(3)[Y]), "float": (X, Y.astype(float)), "negative": (X, Y - 1), "large": (X, Y + 1),
        "short": (X, Y[:-1]), "empty": (X[:0], Y[:0]), "nan": (np.where(X > 0.9, np.nan, X), Y), "inf": (X + np.inf, Y),
        "normalised": ((X - 0.5) / 0.2, Y), "narrow": (X[:, :4], Y), "pickle": (np.array([{}, 1], dtype=object), Y[:2]),
    }  # fmt: skip
    for name, (x, y) in arrays.items():
        np.savez(f"{name}.npz", x=x, y=y, **({"allow_pickle": True} if name == "pickle" else {}))
    content = Path("data.npz").read_bytes()
    Path("truncated.npz").write_bytes(content[: len(content) // 2])
    result = scan(*options, model=model)
    assert result.exit_code == 2, (result.exit_code, result.output)
    assert says in result.output
    assert "Traceback" not in result.output
    assert result.stdout == "" or "did not finish" in result.stdout or result.stdout == "a factory that prints\n"


@pytest.mark.parametrize(("defect", "code"), [("false", 2), ("true", 3)])
def test_a_probe_that_breaks_off_is_reported_and_is_no_success(scan, defect, code, caplog):
    result = scan("--probe", "breaks", "--probe", "says", "--set", f"breaks.defect={defect}", threat=())
    assert result.exit_code == code
    assert "Error: The probe probe:breaks did not finish" in result.stdout
    assert "Low: Said" in result.stdout
    assert Report.load("armour-report/report.json").totals["error"] == 1
    assert "Traceback" not in caplog.text


def test_a_missing_threshold_metric_does_not_pass(scan):
    result = scan("--probe", "breaks", "--fail-on", "findings.error>0", threat=())
    assert result.exit_code == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said_in_one_line(scan, monkeypatch):
    import errno

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    result = scan()
    assert result.exit_code == 2
    assert "Free some space" in result.output


def test_the_command_starts_from_the_current_folder_and_speaks_before_any_framework_loads(here, tmp_path):
    """As the console script does it: no current folder on sys.path, output through pipes."""
    code = (
        "import sys; sys.path[:] = [p for p in sys.path if p not in ('', %r)]; from armour_core.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        code % str(tmp_path),
        "scan",
        f"python:{here}:load",
        "--data",
        "npz:data.npz",
        *QUICK,
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith("armour ")
    assert "Report: armour-report/report.html" in done.stdout


def test_a_terminal_gets_a_bar_and_no_markup_from_names(monkeypatch, capsys):
    from armour_core.cli import _progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with contextlib.suppress(Exception), _progress.reporting(False) as progress:
        progress.line("scanning [red]x[/red]")
        progress.batch("pgd [bold]", 1, 2)
        progress.batch("pgd [bold]", 2, 2)
        progress.batch("square", 1, 2)
        progress.remarks(["a [note]"])
    assert "scanning [red]x[/red]" in capsys.readouterr().err
