"""Arrays in a NumPy file."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from attrs import frozen

from armour_core.data import Dataset
from armour_core.errors import ConfigError, DataError, IntegrityError
from armour_core.opening import Uri

_PICKLE = (
    "Reading it would unpickle, which runs any code that the file's author put there: armour never does that. If you "
    "trust the file, convert it once yourself, where np.load(path, allow_pickle=True) is your own decision, and save "
    "plain arrays with np.savez(path, x=x, y=y)."
)


@frozen(kw_only=True)
class Npz:
    """Samples and labels from a file that `np.savez` wrote: `npz:PATH`, or `npz:PATH?x=images&y=labels`.

    The arrays are taken as they are: x in the model's own layout and bounds, y integer class numbers.
    """

    x: str = "x"  #: key of the samples
    y: str = "y"  #: key of the labels

    def open(self, uri: str) -> Dataset:
        """x and y. Raises DataError for a missing file or key and for a pickle, IntegrityError for a damaged file."""
        name = Uri.parse(uri).path
        if not name:
            raise ConfigError(f"{uri!r} names no file. Write npz:PATH.")
        path = Path(name).expanduser()
        try:
            return self._read(path, uri)
        except FileNotFoundError:
            raise DataError(f"{uri!r}: there is no file {path.absolute()}.") from None
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise IntegrityError(
                f"{path} is damaged or truncated: {error}. Copy it again, and compare its size."
            ) from error
        except OSError as error:
            raise DataError(
                f"{path} cannot be read: {error.strerror or error}. Name a file that np.savez wrote."
            ) from error

    def _read(self, path: Path, uri: str) -> Dataset:
        try:
            archive = np.load(path, allow_pickle=False)
        except ValueError as error:
            if path.read_bytes()[:2] == b"PK":
                raise IntegrityError(f"{path} is damaged: {error}. Copy it again, and compare its size.") from error
            raise DataError(f"{path} is no .npz file; it looks like a pickle or another format. {_PICKLE}") from error
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path} holds one array, so no labels. Save both: np.savez(path, x=x, y=y).")
        with archive:
            x, y = self._array(archive, self.x, path), self._array(archive, self.y, path)
        if x.ndim == 0:
            raise DataError(f"{path}: {self.x!r} is a single number. Save samples of shape (N, ...).")
        return Dataset(x=x, y=y, uri=uri, name=path.name)

    def _array(self, archive: "np.lib.npyio.NpzFile", key: str, path: Path) -> np.ndarray:
        if key not in archive.files:
            held = ", ".join(archive.files) or "nothing"
            raise DataError(f"{path} has no array {key!r}; it holds {held}. Name the keys: npz:{path}?x=KEY&y=KEY.")
        try:
            found: np.ndarray = archive[key]
        except ValueError as error:
            if "pickle" in str(error):
                raise DataError(f"{path}: {key!r} holds Python objects, not numbers. {_PICKLE}") from error
            raise IntegrityError(f"{path}: {key!r} is damaged: {error}. Copy the file again.") from error
        return found
