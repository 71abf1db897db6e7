"""What `armour list` costs beside the imports that it cannot do without; neither imports a framework."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.rows import Row
from benchmarks.settings import Settings

_FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "sklearn")
_WITHIN = (
    "import sys; from armour_core.cli import main\n"
    "try: main(['list'])\n"
    "except SystemExit: pass\n"
    f"print('imported:', *[name for name in {_FRAMEWORKS!r} if name in sys.modules])"
)


def rows(settings: Settings) -> list[Row]:
    """One row: `armour list` beside the bare imports."""
    beside = Path(sys.executable).with_name("armour")
    armour = [str(beside)] if beside.exists() else [shutil.which("armour") or "armour"]
    bare = [sys.executable, "-c", "import numpy, attrs, click"]
    commands = {"ours": [*armour, "list"], "theirs": bare}
    for command in commands.values():
        _seconds(command)  # writes the byte code, fills the file cache
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(2 * settings.repeats):
        for name, command in commands.items():
            least[name] = min(least[name], _seconds(command))
    imported = frameworks_imported()
    note = f"imports {', '.join(imported)}" if imported else "imports no framework"
    other = '`python -c "import numpy, attrs, click"`'
    return [Row(framework="python", what="`armour list`", beside=other, figure=2.0, note=note, **least)]


def frameworks_imported() -> list[str]:
    """Which frameworks `armour list` imports."""
    done = subprocess.run([sys.executable, "-c", _WITHIN], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1].split()[1:]


def _seconds(command: list[str]) -> float:
    """CPU seconds of a process and its children. Raises CalledProcessError."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime
