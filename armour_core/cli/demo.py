"""Train a small network on real handwritten digits in seconds, and scan it."""

import contextlib
import importlib
import importlib.util
import os
import shlex
from pathlib import Path
from types import ModuleType

import click

from armour_core import __version__, registry
from armour_core.cli._answer import Answer, answers
from armour_core.cli._progress import Reporter, reporting
from armour_core.cli.scan import shown, status
from armour_core.engine.provenance import command_line
from armour_core.errors import ConfigError, PluginLoadError
from armour_core.report import Report
from armour_core.store import prepare_folder, write_atomically

FRAMEWORKS = ("torch", "tensorflow")
_MODEL, _DATA, _THREAT = "python:model:load", "digits?split=test", "linf:0.15"
_EPOCHS, _BATCH, _QUERIES = 15, 300, 100


@click.command()
@click.option("--out", default="armour-demo", show_default=True, metavar="DIR", help="Folder of model and report.")
@click.option("--framework", type=click.Choice(FRAMEWORKS), help="[whichever is installed]")
@click.option("--quiet", is_flag=True, help="No progress, only the outcome.")
@answers
def command(out: str, framework: str | None, quiet: bool) -> Answer:
    """Train a small network on real handwritten digits in seconds, and scan it.

    The folder then holds the network (model.py, weights.npz) and the report; the report names the command that makes it
    again.
    """
    folder = prepare_folder(out)
    with reporting(quiet) as progress:
        progress.line(f"armour {__version__}: a small network on 1797 handwritten digits")
        train(_package(framework), folder, progress)
        report = scan_folder(folder, out, progress)
        progress.remarks(report.warnings)
    return Answer(value=report.to_dict(), show=shown(report, out), code=status(report))


def train(package: str, folder: Path, progress: Reporter) -> None:
    """Leave model.py and weights.npz in `folder`, trained on the training split."""
    from armour_core.opening import arrange, open_data, open_model

    training, demo = (importlib.import_module(f"{package}.{name}") for name in ("train", "demo"))
    net = demo.network()
    data = arrange(open_data("digits?split=train"), open_model(net).model)
    progress.line(f"training on {len(data)} digits with {package.rpartition('.')[2]}")
    training.fit(net, data.x, data.y, epochs=_EPOCHS)
    write_atomically(folder / "model.py", _source(demo))
    part = folder / ".weights.part.npz"
    demo.save(net, part)
    os.replace(part, folder / "weights.npz")


def scan_folder(folder: Path, out: str, progress: Reporter) -> Report:
    """The scan that `armour scan` makes in that folder, with the command that makes it again."""
    from armour_core.engine.scan import scan

    probe = registry.create("probe", "robustness", queries=_QUERIES)
    settings = {"threat": _THREAT, "batch_size": _BATCH, "set": f"robustness.queries={_QUERIES}", "out": "."}
    command = f"cd {shlex.quote(out)} && {command_line(_MODEL, _DATA, settings)}"
    with contextlib.chdir(folder):
        return scan(
            _MODEL,
            _DATA,
            threat=_THREAT,
            probes=[probe],
            batch_size=_BATCH,
            out=".",
            progress=progress.batch,
            command=command,
        )


def _package(framework: str | None) -> str:
    """The backend package of the framework that was asked for, or of the first that is installed."""
    reasons = []
    for name in (framework,) if framework else FRAMEWORKS:
        try:
            registry.load("backend", name)
        except PluginLoadError as error:
            reasons.append(str(error))
        else:
            return registry.spec("backend", name).target.partition(":")[0].rpartition(".")[0]
    raise ConfigError("The demo needs PyTorch or TensorFlow.\n  " + "\n  ".join(reasons))


def _source(module: ModuleType) -> bytes:
    spec = importlib.util.find_spec(module.__name__)
    if spec is None or spec.origin is None:
        raise ConfigError(f"The source of {module.__name__} is not on disk; the demo copies it beside the weights.")
    return Path(spec.origin).read_bytes()
