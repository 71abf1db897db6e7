"""What the built-in distribution offers: every Spec names a file that is there, and a name says where it lives."""

import ast
import importlib
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import armour_core
from armour_core import Spec
from armour_core.specs import normalise

ROOT = Path(__file__).parents[2]
FOLDER = {"armour_plugins": ROOT / "plugins", "armour_backends": ROOT / "backends", "armour_core": ROOT}
FAMILIES: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][
    "armour.plugins"
]


def offered() -> list[Spec]:
    """Every Spec of the built-in families, asked as discovery asks them but without its isolation."""
    return [
        spec
        for module in FAMILIES.values()
        if hasattr(family := importlib.import_module(module), "armour_specs")
        for spec in family.armour_specs()
    ]


def file_of(module: str) -> Path:
    return FOLDER[module.split(".")[0]].joinpath(*module.split(".")).with_suffix(".py")


SPECS = offered()
each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)


def test_there_is_something_of_every_family() -> None:
    assert {spec.kind for spec in SPECS} >= {"attack", "loss", "probe", "reporter", "dataset", "backend"}
    assert {spec.name for spec in SPECS if spec.kind == "backend"} == {"numpy", "torch", "tensorflow"}


@each_spec
def test_name_is_the_file_name(spec: Spec) -> None:
    parts = spec.target.split(":")[0].split(".")
    place = parts[-2] if spec.kind == "backend" else parts[-1]  # a backend is a folder of files named alike
    assert place == spec.name


@each_spec
def test_target_is_defined_in_its_file(spec: Spec) -> None:
    module, attribute = spec.target.split(":")
    tree = ast.parse(file_of(module).read_text("utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    defined |= {
        t.id for node in tree.body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    }
    assert attribute in defined


@each_spec
def test_spec_says_what_it_is(spec: Spec) -> None:
    assert spec.summary
    assert not spec.summary.endswith(".")
    assert len(spec.summary) <= 100
    if spec.kind == "attack" and "baseline" not in spec.tags:
        assert spec.reference


def test_names_and_aliases_are_unique_within_a_kind() -> None:
    taken = Counter((spec.kind, normalise(name)) for spec in SPECS for name in {spec.name, *spec.aliases})
    assert not [pair for pair, times in taken.items() if times > 1]


def test_every_algorithm_file_is_offered() -> None:
    targets = {file_of(spec.target.split(":")[0]) for spec in SPECS}
    there = {
        path
        for module in FAMILIES.values()
        if module.startswith("armour_plugins.")
        for path in FOLDER["armour_plugins"].joinpath(*module.split(".")).glob("[!_]*.py")
    }
    assert not there - targets


@pytest.mark.parametrize("name", armour_core.__all__)
def test_public_name_is_importable(name: str) -> None:
    assert getattr(armour_core, name) is not None


def test_backends_have_files_of_the_same_names() -> None:
    folders = [FOLDER["armour_backends"].joinpath(*FAMILIES[key].split(".")) for key in FAMILIES if "backend-" in key]
    for folder in folders:
        assert {path.stem for path in folder.glob("*.py")} >= {"__init__", "backend", "model", "namespace", "rng"}


def test_no_submodule_bears_a_public_name() -> None:
    """It would replace the function as soon as something imports it: docs/decisions/0001-specs-module.md."""
    submodules = {path.stem for path in (ROOT / "armour_core").iterdir() if not path.stem.startswith("_")}
    assert not submodules & set(armour_core.__all__)


def test_offering_specs_imports_no_framework() -> None:
    code = f"""
import importlib, sys
for module in {sorted(FAMILIES.values())}:
    family = importlib.import_module(module)
    getattr(family, "armour_specs", list)()
print(*sorted({{"torch", "tensorflow", "keras", "jax", "sklearn", "matplotlib", "scipy"}} & sys.modules.keys()))
"""
    folders = [str(folder) for folder in FOLDER.values()]
    code = f"import sys; sys.path[:0] = {folders}\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
