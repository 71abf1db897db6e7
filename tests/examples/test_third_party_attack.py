"""README's whole plugin, installed beside armour: selected by name, run, scanned with, checked."""

import numpy as np
import pytest

W = np.random.default_rng(5).standard_normal((6, 3)).astype(np.float32)
X = np.random.default_rng(6).uniform(0, 1, (40, 6)).astype(np.float32)
Y = (X @ W).argmax(1)
EPS = 0.3
VICTIM = f"""
import numpy as np

W = np.array({W.tolist()}, np.float32)

def load():
    return lambda x: np.asarray(x) @ W
"""


def mirrored(eps):
    """Every element towards its mirror image about 0.5, by at most eps: what rate=1 makes of X."""
    return np.clip(X + np.clip(1 - 2 * X, -np.float32(eps), np.float32(eps)), 0, 1)


@pytest.fixture(scope="module")
def work(installation):
    """A folder with a model and data."""
    (installation.work / "victim.py").write_text(VICTIM, "utf-8")
    np.savez(installation.work / "data.npz", x=X, y=Y)
    return installation.work


@pytest.mark.parametrize(
    "name", ["signflip", "SignFlip", "armour-signflip/signflip", "attack:armour-signflip/signflip"]
)
def test_it_runs_by_name_on_a_function_and_does_what_it_says(installation, work, name):
    done = installation.python(
        "import json, numpy as np, armour_core as armour, victim\n"
        "data = np.load('data.npz')\n"
        f"attack = armour.create('attack', {name!r}, rate=1.0)\n"
        "model = armour.wrap(victim.load(), bounds=(0, 1))\n"
        f"result = armour.run_attack(attack, model, data['x'], data['y'], eps={EPS}, seed=0)\n"
        "print(json.dumps([result.x_adv().tolist(), result.success[0].tolist(), result.to_dict()['attack']['id'],"
        " result.queries.forward.tolist()]))"
    )
    assert done.code == 0, done.err
    adversarial, success, identity, queries = done.json
    np.testing.assert_allclose(adversarial, mirrored(EPS), atol=1e-6)
    np.testing.assert_array_equal(success, (mirrored(EPS) @ W).argmax(1) != Y)
    assert any(success)
    assert not all(success)
    assert identity == "attack:armour-signflip/signflip"
    assert set(queries) == {2}  # the first prediction and the last check: it asks nothing


def test_it_is_scanned_with(installation, work):
    scanned = installation.armour(
        *("scan", "python:victim:load", "--data", "npz:data.npz", "--threat", f"linf:{EPS}", "--out", "scanned"),
        *("--set", 'robustness.attacks=["signflip"]', "--samples", "all", "--json"),
        *("--fail-on", "armour-signflip/signflip.robust_accuracy<0.99"),
    )
    assert scanned.code == 1, scanned.err
    report = scanned.json
    (plugin,) = (one for one in report["plugins"] if "signflip" in one["id"])
    assert plugin["id"] == "attack:armour-signflip/signflip"
    measured = {measure["metric"]: measure for finding in report["findings"] for measure in finding.get("measures", ())}
    assert measured["clean_accuracy"]["value"] == 1.0
    assert measured["armour-signflip/signflip.robust_accuracy"]["value"] < 1.0
    assert (work / "scanned" / "report.json").exists()


def test_it_passes_its_checks(installation):
    checked = installation.armour("check", "attack:signflip", "--json")
    assert checked.code == 0, [one for one in checked.json if not one["passed"]] or checked.err
    names = {one["check"] for one in checked.json}
    assert {"within_bounds_and_ball [numpy]", "counts [numpy]", "same_in_any_batch [numpy]"} <= names


def test_armour_knows_no_word_of_it(installation):
    packages = [installation.folders[-1] / name for name in ("armour_core", "armour_plugins", "armour_backends")]
    assert all(package.is_dir() for package in packages)
    sources = [path for package in packages for path in package.rglob("*.py")]
    assert not [path for path in sources if "signflip" in path.read_text("utf-8").lower()]
