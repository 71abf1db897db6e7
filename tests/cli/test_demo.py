"""`armour demo`, whole, with each framework that is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from armour_core import registry
from armour_core.cli import main
from armour_core.errors import PluginLoadError
from armour_core.report import Report

ARMOUR = (sys.executable, "-c", "from armour_core.cli import main; main()")


@pytest.fixture(scope="module", params=["torch", "tensorflow"])
def demo(request, tmp_path_factory):
    """The folder above, and what the command printed; run once for each framework."""
    for needed in (request.param, "sklearn", "jinja2"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    done = subprocess.run(
        [*ARMOUR, "demo", "--framework", request.param, "--out", "first try"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder, done, request.param


def test_it_leaves_model_weights_and_report(demo):
    folder, done, framework = demo
    names = sorted(path.name for path in (folder / "first try").iterdir() if path.name != "__pycache__")
    assert names == ["model.py", "report.html", "report.json", "weights.npz"]
    assert "Report: first try/report.html" in done.stdout
    report = Report.load(folder / "first try" / "report.json")
    assert report.verdict in done.stdout
    assert report.model["backend"] == framework
    assert report.data["samples"] == 599


def test_the_network_has_learnt_and_the_attack_finds_what_noise_does_not(demo):
    folder, _, _ = demo
    metrics = Report.load(folder / "first try" / "report.json").metrics
    assert metrics["clean_accuracy"][0] > 0.9
    assert metrics["robust_accuracy"][0] < 0.5 < metrics["gaussian_noise.robust_accuracy"][0]
    assert metrics["robust_accuracy"][0] <= min(metrics["pgd.robust_accuracy"][0], metrics["square.robust_accuracy"][0])


def test_the_page_shows_pictures_and_stays_small(demo):
    folder, _, _ = demo
    page = (folder / "first try" / "report.html").read_bytes()
    assert page.count(b"data:image/png;base64,") == 18
    assert len(page) < 500_000


def test_the_printed_command_finds_the_same_numbers(demo):
    """Each sample drawn, attacked and counted again by a process of its own, from the files alone."""
    folder, _, _ = demo
    report = Report.load(folder / "first try" / "report.json")
    change, _, command = report.command.partition(" && ")
    assert change == "cd 'first try'"
    script = (
        f"armour() {{ {sys.executable} -c 'from armour_core.cli import main; main()' \"$@\"; }}; {change} && {command}"
    )
    done = subprocess.run(["bash", "-c", f"{script} --json"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["findings"][0]["measures"] == report.to_dict()["findings"][0]["measures"]
    assert again["model"]["fingerprint"] == report.model["fingerprint"]


def test_model_py_needs_nothing_of_armour_and_no_pickle(demo):
    folder, _, _ = demo
    source = (folder / "first try" / "model.py").read_text()
    assert "armour_" not in source
    assert "allow_pickle=False" in source
    load = "import sys; sys.path = [p for p in sys.path if 'armour' not in p]; from model import load; print(load())"
    done = subprocess.run([sys.executable, "-c", load], cwd=folder / "first try", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_any_framework_it_says_what_to_install(monkeypatch, tmp_path):
    def refuse(kind, name=None):
        raise PluginLoadError(f"backend:{name} needs '{name}', which is not installed: pip install 'armour[{name}]'")

    monkeypatch.setattr(registry, "load", refuse)
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "pip install 'armour[torch]'" in result.output
    assert "pip install 'armour[tensorflow]'" in result.output


def test_an_output_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "taken").write_text("")
    result = CliRunner().invoke(main, ["demo", "--out", str(tmp_path / "taken")])
    assert result.exit_code == 2
    assert "is a file" in result.output
    assert os.listdir(tmp_path) == ["taken"]


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_training_leaves_generators_and_flags_alone_and_repeats_itself(framework):
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    import importlib

    import numpy as np

    training, demo = (importlib.import_module(f"armour_backends.{framework}.{name}") for name in ("train", "demo"))
    rng = np.random.default_rng(0)
    x = rng.random((64, 1, 8, 8) if framework == "torch" else (64, 8, 8, 1)).astype(np.float32)
    y = rng.integers(0, 10, 64)
    before = np.random.get_state()[1].copy()
    losses = []
    for _ in range(2):
        net = demo.network(seed=3)
        losses.append(training.fit(net, x, y, epochs=4, batch_size=16, lr=0.01, seed=1))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][-1] < losses[0][0]
    assert (np.random.get_state()[1] == before).all()
    if framework == "torch":
        import torch

        state = torch.random.get_rng_state()
        net = demo.network().eval()
        net[0].train()
        flags = [module.training for module in net.modules()]
        training.fit(net, x, y, epochs=1)
        assert [module.training for module in net.modules()] == flags
        assert torch.equal(torch.random.get_rng_state(), state)


def test_the_demo_networks_are_the_source_that_is_copied():
    for framework in ("torch", "tensorflow"):
        spec = importlib.util.find_spec(f"armour_backends.{framework}")
        assert (Path(spec.origin).parent / "demo.py").is_file()
