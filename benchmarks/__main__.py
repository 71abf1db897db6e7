"""`python -m benchmarks`: all races, each framework in a process of its own, and the table in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks import machine, startup, table
from benchmarks.rows import Row
from benchmarks.settings import TINY, Settings
from benchmarks.timing import Course

FRAMEWORKS = ("torch", "tensorflow")
RACES = ("pgd", "sweep", "cw", "square", "hopskipjump", "calls")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"

# Before a framework is imported: one thread each, so that CPU time is work and nothing else.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "MPLBACKEND": "Agg",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table, and write it into the page."""
    options = _options(arguments)
    settings = TINY if options.tiny else Settings()
    settings = attrs.evolve(settings, device=options.device, repeats=options.repeats or settings.repeats)
    if options.within:
        print(json.dumps(run(options.within, options.races, settings)))
        return 0
    found: list[Row] = []
    about = []
    for framework in options.frameworks:
        answer = _apart(framework, options)
        about += answer["about"]
        found += [Row(**row) for row in answer["rows"]]
        print(table.rendered([row for row in found if row.framework == framework], answer["about"]), flush=True)
    if not found:
        print(f"benchmarks: nothing was measured on {options.device}: {'; '.join(about)}", file=sys.stderr)
        return 2
    if not options.races or "startup" in options.races:
        found += startup.rows(settings)
    text = table.rendered(found, [*_circumstances(options.device), *about])
    print(text)
    if options.page:
        table.written(Path(options.page), "cpu" if options.device == "cpu" else "gpu", text)
    return 1 if any(row.met is False for row in found) else 0


def run(framework: str, races: Sequence[str], settings: Settings) -> dict[str, Any]:
    """The races of one framework, in this process."""
    if importlib.util.find_spec(framework) is None:
        return {"rows": [], "about": [f"{framework} is not installed here"]}
    try:
        side = importlib.import_module(f"benchmarks.frameworks.{framework}").side(settings)
    except RuntimeError as error:
        return {"rows": [], "about": [f"{framework}: {error}"]}
    course = Course(framework=framework, repeats=settings.repeats, synchronize=side.synchronize, told=_told)
    for name in RACES:
        if not races or name in races:
            importlib.import_module(f"benchmarks.races.{name}").race(side, course, settings)
    layers = "two convolutions (16 and 32 filters of 5 x 5, stride 2) and one dense layer"
    about = f"{framework} on {side.device}: {layers}; {side.about}."
    return {"rows": [attrs.asdict(row) for row in course.rows], "about": [about]}


def _apart(framework: str, options: argparse.Namespace) -> dict[str, Any]:
    """`run` in a process of its own: two frameworks in one disturb each other. Raises CalledProcessError."""
    command = [sys.executable, "-m", "benchmarks", "--within", framework, "--device", options.device]
    command += ["--tiny"] * options.tiny + [f"--repeats={options.repeats}"] * bool(options.repeats)
    command += ["--races", *options.races] if options.races else []
    done = subprocess.run(command, env={**os.environ, **_ENVIRONMENT}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def _told(what: str) -> None:
    print(f"done: {what}", file=sys.stderr, flush=True)


def _circumstances(device: str) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions().items())
    clock = "CPU time of the process" if device == "cpu" else "time on the wall, the GPU synchronised"
    return [
        f"Machine: {machine.described()}.",
        f"Versions: {versions}.",
        f"{clock}, one thread, the least of several interleaved rounds; TF_ENABLE_ONEDNN_OPTS=0.",
    ]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu, cuda:0, or auto: a GPU where there is one")
    parser.add_argument("--frameworks", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--races", nargs="+", choices=(*RACES, "startup"), default=[], help="only these")
    parser.add_argument("--repeats", type=int, help="timed rounds")
    parser.add_argument("--tiny", action="store_true", help="sizes that show only that it runs")
    parser.add_argument("--page", default=str(PAGE), help="the page to write into; '' for none")
    parser.add_argument("--within", choices=FRAMEWORKS, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
