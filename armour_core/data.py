"""Data and labels at the door: what was given, checked once, with a message that says what to do."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from armour_core.errors import ConfigError, DataError

LAYOUTS = ("nhwc", "nchw", "nhw", "flat")


@frozen(kw_only=True, eq=False)
class Dataset:
    """Samples with their labels, and where they come from. What a dataset plugin's `open` returns."""

    x: np.ndarray  #: (N, ...), in units of the model's bounds
    y: np.ndarray  #: integer class labels (N,)
    uri: str = ""  #: what opens it again; empty for arrays passed in memory
    name: str = ""  #: for people: "Handwritten digits (UCI), 597 of 1797"
    layout: str | None = (
        None  #: one of LAYOUTS where armour may rearrange it for the model; None: as the model takes it
    )
    classes: tuple[str, ...] = ()  #: names of the classes, where they have names
    source: str = ""  #: citation and licence, for the report
    index: np.ndarray | None = field(default=None)  #: int64 (N,): places in the data set it was drawn from

    def __len__(self) -> int:
        return len(self.x)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over shapes, types and bytes of x and y: the same data, the same string."""
        digest = hashlib.sha256()
        for part in (self.x, self.y):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).view(np.uint8).data if part.size else b"")
        return digest.hexdigest()

    def take(self, rows: Sequence[int] | np.ndarray) -> "Dataset":
        """These rows only; `index` remembers their places."""
        chosen = np.asarray(rows, dtype=np.int64)
        places = chosen if self.index is None else self.index[chosen]
        return evolve(self, x=self.x[chosen], y=self.y[chosen], index=places)

    def sample(self, n: int | None, seed: int) -> "Dataset":
        """At most `n` rows drawn without replacement with `seed`, in their order; all of them for None."""
        if n is None or n >= len(self):
            return self
        entropy = seed if seed >= 0 else (1, -seed)  # NumPy takes no negative ones
        drawn = np.random.default_rng(entropy).permutation(len(self))[:n]
        return self.take(np.sort(drawn))

    def arranged(self, layout: str) -> "Dataset":
        """The same images with axes as `layout` says; vectors and data of fixed layout stay as they are."""
        if layout not in LAYOUTS:
            raise ConfigError(f"Layout {layout!r}: choose one of {', '.join(LAYOUTS)}.")
        if self.layout is None or self.layout == layout:
            return self
        if self.layout != "nhwc":
            raise DataError(
                f"Images in layout {self.layout!r} are not rearranged to {layout!r}; open them again as 'nhwc'."
            )
        if layout == "nchw":
            x = np.ascontiguousarray(np.moveaxis(self.x, -1, 1))
        elif layout == "nhw":
            if self.x.shape[-1] != 1:
                raise DataError(f"{self.name or 'The data'} has {self.x.shape[-1]} channels: layout 'nhw' holds one.")
            x = self.x[..., 0]
        else:
            x = self.x.reshape(len(self.x), -1)
        return evolve(self, x=x, layout=layout)


def check_labels(y: Any, n: int, num_classes: int | None = None, *, what: str = "y") -> np.ndarray:
    """Labels as int64 `(N,)` on the host, or a DataError that says what was found and what to pass.

    y: integer class numbers `(N,)`, from 0: NumPy, list, or a tensor that NumPy can read; n: the number of samples they
    belong to; num_classes: None where the model does not say; what: how messages call them.
    """
    if y is None:
        raise DataError(f"No labels were given. Pass {what}: integer class numbers of shape (N,).")
    labels = _as_array(y, what)
    if n == 0 or labels.size == 0:
        raise DataError(f"There are no samples to work on: {n} samples and {labels.size} labels were given.")
    _check_shape(labels, n, what)
    _check_type(labels, what)
    if len(labels) != n:
        raise DataError(
            f"{what} has {len(labels)} labels for {n} samples. Pass one label for each sample, in the order of x."
        )
    labels = labels.astype(np.int64, copy=False)
    _check_range(labels, num_classes, what)
    return labels


def _as_array(y: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(y)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{what} is a {type(y).__name__} that NumPy cannot read as labels ({error}). "
            "Pass integer class numbers of shape (N,), on the host."
        ) from error


def _check_shape(labels: np.ndarray, n: int, what: str) -> None:
    if labels.ndim == 1:
        return
    shape = f"{what} has shape {labels.shape}"
    if labels.ndim == 2 and labels.shape[1] == 1:
        raise DataError(f"{shape}; labels are one-dimensional. Pass {what}.reshape(-1).")
    numeric = labels.dtype.kind in "iufb"
    if labels.ndim == 2 and numeric and labels.shape[0] == n and _one_hot(labels):
        raise DataError(f"{shape} and looks one-hot. Pass class numbers: {what}.argmax(axis=1).")
    if labels.ndim == 2 and labels.dtype.kind == "f":
        raise DataError(
            f"{shape}: one row of numbers for each sample, such as probabilities. "
            f"Pass class numbers: {what}.argmax(axis=1)."
        )
    raise DataError(f"{shape}; labels are integer class numbers of shape ({n},).")


def _one_hot(labels: np.ndarray) -> bool:
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all())


def _check_type(labels: np.ndarray, what: str) -> None:
    kind = labels.dtype.kind
    if kind in "iu":
        return
    if kind == "b":
        raise DataError(f"{what} is of type bool. Pass class numbers: {what}.astype(int).")
    if kind == "f":
        if np.isfinite(labels).all() and (labels == np.round(labels)).all():
            raise DataError(
                f"{what} is of type {labels.dtype}, though its values are whole. "
                f"Pass class numbers: {what}.astype(int)."
            )
        raise DataError(
            f"{what} is of type {labels.dtype} with values such as {labels[0]:g}: no class numbers. "
            "Pass integers from 0; regression targets and probabilities are not labels."
        )
    raise DataError(
        f"{what} is of type {labels.dtype} with values such as {labels.flat[:1].tolist()[0]!r}. Pass class numbers: "
        "np.unique(y, return_inverse=True)[1] numbers names in sorted order; the model's own order may differ."
    )


def _check_range(labels: np.ndarray, num_classes: int | None, what: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        where = int(np.argmax(labels < 0))
        raise DataError(
            f"{what} holds {int((labels < 0).sum())} negative labels (the first, {labels[where]}, at place {where}). "
            "Classes are numbered from 0: leave out samples without a label, and map {-1, 1} to {0, 1}."
        )
    if num_classes is not None and high >= num_classes:
        count, where = int((labels >= num_classes).sum()), int(np.argmax(labels >= num_classes))
        hint = (
            "Your labels seem to start at 1: pass y - 1."
            if low >= 1 and high == num_classes
            else "Check that data and model belong together."
        )
        raise DataError(
            f"{what} holds {count} labels that the model has no class for "
            f"(the first, {labels[where]}, at place {where}): "
            f"it has {num_classes} classes, numbered 0 to {num_classes - 1}. {hint}"
        )
