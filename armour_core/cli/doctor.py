"""Look at this installation: frameworks and devices, extras, failed plugins, environment variables."""

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import click
import importlib_metadata

from armour_core import __version__, registry
from armour_core.cli import BELOW_THRESHOLD, DONE
from armour_core.cli._answer import Answer, answers, facts, table
from armour_core.discovery import OWN

VARIABLES = (
    "ARMOUR_ALLOW",
    "ARMOUR_BLOCK",
    "ARMOUR_STRICT",
    "ARMOUR_DEBUG",
    "CUDA_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
)
"""Environment variables that change what armour does, or how fast."""

_DEVICES = {
    "torch": """
        devices = ["cpu"] + [f"cuda:{n} {found.cuda.get_device_name(n)}" for n in range(found.cuda.device_count())]
        devices += ["mps"] * found.backends.mps.is_available()
    """,
    "tensorflow": """
        devices = [device.name.removeprefix("/physical_device:") for device in found.config.list_physical_devices()]
    """,
}

_PROBE = """
import importlib, json, sys, time
start = time.perf_counter()
found = importlib.import_module(sys.argv[1])
seconds = time.perf_counter() - start
devices = ["cpu"]
{devices}
print()
print(json.dumps({{"version": str(found.__version__), "devices": devices, "seconds": round(seconds, 2)}}))
"""

_TIMEOUT = 120.0  # seconds: a cold import of TensorFlow from a network disk takes a minute


@click.command()
@answers
def command() -> Answer:
    """Look at this installation: frameworks and devices, extras, failed plugins, environment variables.

    Each framework is imported in a process of its own. The exit status is 1 when something that armour needs is broken.
    """
    failures = registry.failures()
    broken = missing_requirements()
    if not any(one.name == OWN and one.status == "loaded" for one in registry.distributions()):
        broken.append("armour's own plugins are not found: install armour, as in `pip install -e .`")
    broken += [f"{failure}" for failure in failures if failure.origin == OWN]
    value = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "armour": __version__,
        "frameworks": frameworks(spec.name for spec in registry.list_plugins("backend")),
        "extras": extras(),
        "distributions": [{"name": d.name, "version": d.version, "status": d.status} for d in registry.distributions()],
        "failures": [str(failure) for failure in failures],
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "broken": broken,
    }
    return Answer(value=value, show=lambda: _show(value), code=BELOW_THRESHOLD if broken else DONE)


def frameworks(names: Iterable[str]) -> list[dict[str, Any]]:
    """Version, devices and import time of each, asked in processes that run side by side."""
    asked = {}
    for name in sorted(set(names)):
        source = _PROBE.format(devices="\n".join(line.strip() for line in _DEVICES.get(name, "").splitlines()))
        asked[name] = subprocess.Popen(
            [sys.executable, "-c", source, name],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "3"} | os.environ,
        )
    return [{"name": name, **_answer_of(name, process)} for name, process in asked.items()]


def _answer_of(name: str, process: "subprocess.Popen[str]") -> dict[str, Any]:
    try:
        answer, complaint = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"status": "broken", "detail": f"importing it took more than {_TIMEOUT:.0f} s"}
    if process.returncode == 0:
        found: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
        return {"status": "works", **found}
    last = complaint.strip().splitlines()[-1] if complaint.strip() else f"it ended with status {process.returncode}"
    if last == f"ModuleNotFoundError: No module named '{name}'":
        return {"status": "not installed", "detail": f"pip install 'armour[{name}]'"}
    return {"status": "broken", "detail": last}


def extras() -> dict[str, dict[str, Any]]:
    """The optional parts of armour: whether each is there, and what it lacks."""
    try:
        metadata = importlib_metadata.metadata(OWN)
    except importlib_metadata.PackageNotFoundError:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for extra in metadata.get_all("Provides-Extra") or []:
        lacks = [name for name in _required(extra) if name != OWN and not _installed(name)]
        found[extra] = {"present": not lacks, "missing": lacks}
    return found


def missing_requirements() -> list[str]:
    """What armour cannot do without and is not there."""
    try:
        return [f"{name} is not installed: pip install {name}" for name in _required(None) if not _installed(name)]
    except importlib_metadata.PackageNotFoundError:
        return []


def _required(extra: str | None) -> list[str]:
    """Distributions that armour, or one extra of it, requires here."""
    named = []
    for requirement in importlib_metadata.requires(OWN) or []:
        name, _, marker = requirement.partition(";")
        of = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if (of.group(1) if of else None) == extra:
            named.append(re.split(r"[\s<>=!~\[(]", name.strip(), maxsplit=1)[0])
    return named


def _installed(name: str) -> bool:
    try:
        importlib_metadata.version(name)
    except importlib_metadata.PackageNotFoundError:
        return False
    return True


def _show(value: dict[str, Any]) -> None:
    facts((("armour", value["armour"]), ("python", value["python"]), ("platform", value["platform"])))
    click.echo()
    table(
        ("framework", "status", "version", "import", "devices"),
        [
            (
                one["name"],
                one["status"],
                one.get("version", ""),
                f"{one['seconds']:.1f} s" if "seconds" in one else "",
                ", ".join(one["devices"]) if "devices" in one else one["detail"],
            )
            for one in value["frameworks"]
        ],
    )
    click.echo()
    table(
        ("extra", "", "missing"),
        [
            (name, "present" if extra["present"] else "absent", ", ".join(extra["missing"]))
            for name, extra in value["extras"].items()
        ],
    )
    if value["environment"]:
        click.echo()
        facts(tuple(value["environment"].items()))
    for heading, lines in (("Failed plugins", value["failures"]), ("Broken", value["broken"])):
        if lines:
            click.echo(f"\n{heading}:")
            for line in lines:
                click.echo(f"  {line}")
    if not value["broken"]:
        click.echo("\nAll that armour needs is there.")
