"""The machine in words, and which versions ran."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import date
from pathlib import Path

_SHOWN = (
    "armour", "numpy", "torch", "tensorflow", "tensorflow-cpu", "keras", "torchattacks", "foolbox",
    "adversarial-robustness-toolbox",
)  # fmt: skip


def described(gpu: str | None = None) -> str:
    """Cores, kind of processor, date. No names of hosts."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kind = {"x86_64": "x86-64", "AMD64": "x86-64", "aarch64": "64-bit ARM", "arm64": "64-bit ARM"}.get(
        platform.machine(), platform.machine()
    )
    where = f"{cores} core{'s' * (cores != 1)}, {kind} CPU{_vectors()}, Python {platform.python_version()}"
    return f"{where}, {gpu}, {date.today().isoformat()}" if gpu else f"{where}, {date.today().isoformat()}"


def versions() -> dict[str, str]:
    """Of armour, the frameworks and the peers: what is installed here."""
    found = {}
    for name in _SHOWN:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _vectors() -> str:
    file = Path("/proc/cpuinfo")
    flags = file.read_text().split("flags", 1)[-1].split("\n", 1)[0].split() if file.is_file() else []
    return next((f" with {name}" for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "")
