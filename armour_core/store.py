"""Files that are whole or not there: a temporary name, then a rename."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from armour_core.errors import ArmourError, ConfigError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: str | Path, content: bytes) -> Path:
    """Write `content` to `path` so that a reader sees the old file or the new one, never half of one.

    Raises ConfigError where the folder cannot be written, ArmourError where the disk is full; what was there stays.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise _cannot_write(path, error) from error
    return path


def prepare_folder(path: str | Path) -> Path:
    """Make the folder, and make sure before any work that files can be written there. Raises as `write_atomically`."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ConfigError(f"{path} is a file; the output needs a folder. Name another one.") from error
    except OSError as error:
        raise _cannot_write(path, error) from error
    write_atomically(path / ".armour-writable", b"armour\n").unlink()
    return path


def _cannot_write(path: Path, error: OSError) -> ArmourError:
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return ArmourError(f"{path} cannot be written: {reason}. Free some space, or name an output on another disk.")
    return ConfigError(f"{path} cannot be written: {reason}. Name a folder that you may write to.")
