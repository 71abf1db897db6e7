"""armour itself and the distributions beside this file, really installed, in a folder of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

EXAMPLES = Path(__file__).parent
ROOT = EXAMPLES.parents[1]
WRITTEN = ("attack", "loss", "defense", "detector", "metric", "probe", "reporter", "dataset")


@frozen
class Outcome:
    """What a process did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@frozen
class Installation:
    """Folders that distributions are installed in, as they are in a virtual environment's site-packages."""

    folders: tuple[Path, ...]  #: the last one holds armour
    work: Path

    def armour(self, *arguments: str, **variables: str) -> Outcome:
        """The command line, as a person calls it."""
        return self.run(str(self.folders[-1] / "bin" / "armour"), *arguments, **variables)

    def python(self, source: str, **variables: str) -> Outcome:
        return self.run(sys.executable, "-c", source, **variables)

    def run(self, *command: str, **variables: str) -> Outcome:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARMOUR_")}
        path = os.pathsep.join(map(str, self.folders))
        done = subprocess.run(
            command,
            env=inherited | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | variables,
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=600,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


def install(target: Path, *projects: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-index", "--no-build-isolation", "--no-deps", "--target", str(target), *map(str, projects)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """armour and every example, built and installed once for all tests."""
    target = tmp_path_factory.mktemp("target")
    install(target, ROOT, *(path.parent for path in sorted(EXAMPLES.glob("*/pyproject.toml"))))
    return Installation((target,), tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def projects(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A project of each kind that `armour new` writes, installed beside armour; the projects are in `work`."""
    work = tmp_path_factory.mktemp("projects")
    for kind in WRITTEN:
        written = installation.armour("new", kind, f"my_{kind}", "--dir", str(work / kind))
        assert written.code == 0, written.err
    target = tmp_path_factory.mktemp("written")
    install(target, *(work / kind for kind in WRITTEN))
    return Installation((target, *installation.folders), work)
