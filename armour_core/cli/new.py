"""Write a plugin project of your own that works, to start from."""

import importlib.util
import keyword
import re
import tempfile
from pathlib import Path

import click

from armour_core import registry
from armour_core.cli._answer import Answer, answers
from armour_core.cli._scaffold import SKETCHES, distribution_name, project
from armour_core.discovery import OWN
from armour_core.errors import ConfigError
from armour_core.specs import normalise

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")


@click.command()
@click.argument("kind")
@click.argument("name")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Where to; by default ./armour-NAME.")
@answers
def command(kind: str, name: str, directory: Path | None) -> Answer:
    """Write a plugin project of your own that works, to start from: KIND is attack, loss, defense, and so on.

    One module with a Spec, a pyproject.toml with its entry point, a test. Nothing that exists is overwritten.
    """
    kind = registry.kind(kind).name
    name = normalise(name)
    refuse(kind, name)
    directory = directory or Path(distribution_name(name))
    files = project(kind, name)
    write(directory, files)
    steps = [f"pip install -e {directory}", f"armour show {kind}:{name}", f"armour check {kind}:{name}"]
    value = {"directory": str(directory), "files": sorted(files), "next": steps}
    return Answer(value=value, show=lambda: _show(directory, files, steps))


def refuse(kind: str, name: str) -> None:
    """Raise ConfigError for a kind or a name that no project can be written for."""
    if kind not in SKETCHES:
        raise ConfigError(
            f"`armour new` writes {', '.join(SKETCHES)}; for {kind} take a plugin of that kind as a model."
        )
    if not _NAME.match(name) or keyword.iskeyword(name):
        raise ConfigError(f"{name!r} is no name for a plugin: use snake_case, as in 'sign_flip'.")
    for spec in registry.list_plugins(kind):
        if spec.origin == OWN and name in map(normalise, (spec.name, *spec.aliases)):
            raise ConfigError(f"{kind}:{name} is armour's own {spec.id}: choose another name.")
    if importlib.util.find_spec(name) is not None:  # a plugin is named as its module is
        raise ConfigError(f"A module named {name!r} is installed: choose another name.")


def write(directory: Path, files: dict[str, str]) -> None:
    """Write all files or none. Raises ConfigError where the directory exists or cannot be made."""
    if directory.exists():
        raise ConfigError(f"{directory} exists: choose another place with --dir.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".armour-new-") as draft:
            made = Path(draft) / "project"
            for path, content in files.items():
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(content, encoding="utf-8")
            made.rename(directory)
    except OSError as error:
        raise ConfigError(
            f"{directory} cannot be written: {error.strerror}. Choose another place with --dir."
        ) from error


def _show(directory: Path, files: dict[str, str], steps: list[str]) -> None:
    click.echo(f"Wrote {directory}: {', '.join(sorted(files))}\n\nNext:")
    for step in steps:
        click.echo(f"  {step}")
