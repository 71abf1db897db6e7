"""`new`: what it refuses. What it writes is installed and tested in tests/examples."""

import json

import pytest

from armour_core.cli import _scaffold


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("attack", "pgd", "armour's own attack:pgd"),
        ("attack", "LinfPGD", "armour's own attack:pgd"),
        ("attack", "numpy", "A module named 'numpy' is installed"),
        ("attack", "random", "A module named 'random' is installed"),
        ("attack", "1x", "use snake_case"),
        ("attack", "a__b", "use snake_case"),
        ("attack", "../x", "use snake_case"),
        ("attack", "lambda", "use snake_case"),
        ("fault", "x", "`armour new` writes attack, loss, defense, detector, metric, probe, reporter, dataset"),
        ("atack", "x", "Did you mean attack?"),
    ],
)
def test_a_name_or_kind_that_no_project_can_have_is_refused(armour, tmp_path, kind, name, told):
    done = armour("new", kind, name, "--dir", str(tmp_path / "made"))
    assert done.exit_code == 2
    assert told in done.stderr
    assert not (tmp_path / "made").exists()


def test_a_place_that_exists_or_cannot_be_written_is_refused(armour, tmp_path):
    assert "exists" in armour("new", "attack", "mine", "--dir", str(tmp_path)).stderr
    (tmp_path / "file").write_text("")
    done = armour("new", "attack", "mine", "--dir", str(tmp_path / "file" / "inner"))
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_the_default_place_is_named_after_the_plugin(armour, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = armour("new", "attack", "Sign-Flip", "--json")
    assert json.loads(done.stdout)["directory"] == "armour-sign-flip"
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "armour-sign-flip/README.md",
        "armour-sign-flip/pyproject.toml",
        "armour-sign-flip/sign_flip.py",
        "armour-sign-flip/tests/test_sign_flip.py",
    ]
    assert "class SignFlip:" in (tmp_path / "armour-sign-flip/sign_flip.py").read_text()


@pytest.mark.parametrize("kind", _scaffold.SKETCHES)
def test_nothing_is_left_to_be_filled_in(kind):
    for content in _scaffold.project(kind, "my_own").values():
        assert "$" not in content
        assert "TODO" not in content
