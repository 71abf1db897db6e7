"""The wheel: the three packages with what they need at run time, nothing else, and entry points that lead somewhere."""

import ast
import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "armour_core": ROOT / "armour_core",
    "armour_plugins": ROOT / "plugins" / "armour_plugins",
    "armour_backends": ROOT / "backends" / "armour_backends",
}
GENERATED = {"__pycache__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """armour's wheel, built as a release builds it."""
    pytest.importorskip("hatchling")
    out = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return zipfile.ZipFile(out / done.stdout.split()[-1])


def entry_points(wheel: zipfile.ZipFile) -> dict[str, str]:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(wheel.read(name).decode())
    return {f"{group}/{key}": value for group in parser.sections() for key, value in parser.items(group)}


def test_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    """Templates, style sheets and `py.typed` too, and no tests."""
    there = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and not GENERATED.intersection(path.parts)
    }
    packed = {name for name in wheel.namelist() if name.split("/")[0] in PACKAGES}
    assert packed == there
    assert "armour_core/py.typed" in packed


def test_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    assert [name for name in wheel.namelist() if name.endswith("LICENSE")]


def test_entry_points_lead_somewhere(wheel: zipfile.ZipFile) -> None:
    packed = set(wheel.namelist())
    points = entry_points(wheel)
    assert points["console_scripts/armour"] == "armour_core.cli:main"
    for value in points.values():
        module, _, attribute = value.partition(":")
        path = module.replace(".", "/")
        (source,) = {f"{path}.py", f"{path}/__init__.py"} & packed
        if attribute:
            tree = ast.parse(wheel.read(source))
            assert attribute in {getattr(node, "name", None) for node in tree.body}
