"""What a network's outputs on real rows say about it: how many classes, and whether they are what they are called."""

from typing import Any

import numpy as np
from attrs import frozen

from armour_core.errors import ConfigError, DataError

ROWS = 16  # how many rows are looked at


@frozen
class Verdict:
    """What the raw outputs turned out to be."""

    outputs: str  #: one of protocols.model.OUTPUTS
    num_classes: int | None
    notes: tuple[str, ...] = ()


def check_shape(raw: Any, rows: int, outputs: str, declared: bool) -> None:
    """Raise DataError where raw outputs cannot be read as one row of outputs per sample. Looks at the shape only."""
    shape = tuple(raw.shape)
    if not shape or shape[0] != rows:
        raise DataError(
            f"The network returned outputs of shape {shape} for {rows} rows of input: one row of outputs per sample "
            "is wanted.\n"
            "  Pass a batch, samples along the first axis; or reduce the outputs: wrap(net, forward=lambda net, x: "
            "...)."
        )
    if len(shape) > 2 and outputs != "scores":
        raise DataError(
            f"The network returned outputs of shape {shape}; (N, classes) is wanted.\n"
            "  Choose or reduce them: wrap(net, output=...) or wrap(net, forward=lambda net, x: ...); "
            "outputs='scores' takes any."
        )
    if not declared and not _whole(raw) and (len(shape) == 1 or shape[1] == 1):
        raise DataError(
            f"The network returned one number per sample (shape {shape}), which may mean several things. Say which:\n"
            "  wrap(net, outputs='logits') a binary logit, outputs='probabilities' the probability of class 1, "
            "outputs='scores' a regression, outputs='labels' class numbers."
        )


def _whole(raw: Any) -> bool:
    return any(kind in str(raw.dtype) for kind in ("int", "bool"))


def judge(raw: np.ndarray, outputs: str, declared: bool, num_classes: int | None) -> Verdict:
    """What these raw outputs (N, ...) are. Raises DataError where they are not what was declared."""
    if raw.dtype.kind not in "fiub":
        raise DataError(
            f"The network returns {raw.dtype} values, {raw.ravel()[:1].tolist()} the first; numbers are wanted.\n"
            "  Class names: return their places in a fixed list, with outputs='labels'."
        )
    _check_finite(raw)
    if outputs == "labels":
        return _labels(raw, num_classes)
    if not declared and _whole(raw) and (raw.ndim == 1 or raw.shape[1] == 1):
        return _labels(raw, num_classes)
    if raw.ndim != 2 or outputs in ("scores", "loss"):
        width = raw.shape[1] if raw.ndim == 2 and raw.shape[1] > 1 and outputs == "scores" else None
        if raw.ndim == 1 and outputs in ("logits", "probabilities"):
            width = 2
        return Verdict(outputs, _agreed(num_classes, width, raw.shape))
    width = max(raw.shape[1], 2)
    classes = _agreed(num_classes, width, raw.shape)
    values = raw.astype(np.float64)
    if raw.shape[1] == 1:
        if outputs == "probabilities" and (values.min() < 0 or values.max() > 1):
            raise DataError(_not_probabilities(values, "they are not in [0, 1]"))
        return Verdict(outputs, classes)
    in_range = bool(values.min() >= 0 and values.max() <= 1 + 1e-6)
    sums = bool(np.all(abs(values.sum(axis=1) - 1) <= 1e-4))
    one_hot = in_range and bool(np.all(np.sort(values, axis=1)[:, -2:] == (0.0, 1.0)))
    if outputs == "probabilities":
        if not (in_range and sums):
            raise DataError(
                _not_probabilities(values, "they are not in [0, 1]" if not in_range else "rows do not sum to 1")
            )
        return Verdict(outputs, classes)
    if one_hot and not declared:
        note = (
            "the network returns one 1 per row and zeros: taken as labels (outputs='labels'), so it gives neither "
            "scores nor gradients"
        )
        return Verdict("labels", classes, (note,))
    if in_range and sums:
        raise DataError(
            f"The network was wrapped with outputs='logits', but on {len(values)} rows its outputs lie in [0, 1] and "
            "sum to 1: they are probabilities.\n"
            "  Say so: wrap(net, outputs='probabilities'); or better give the logits, by leaving the last softmax out: "
            "a saturated softmax hides gradients from attacks."
        )
    return Verdict(outputs, classes)


def _labels(raw: np.ndarray, num_classes: int | None) -> Verdict:
    if raw.ndim == 2 and raw.shape[1] > 1:
        return Verdict("labels", _agreed(num_classes, raw.shape[1], raw.shape))
    values = raw.reshape(-1)
    if np.any(values != np.floor(values)) or values.min() < 0:
        raise DataError(
            f"outputs='labels', but the network returns {values.min():g} to {values.max():g}: class numbers 0, 1, ... "
            "are wanted.\n"
            "  For scores say outputs='logits', 'probabilities' or 'scores'."
        )
    if num_classes is not None and values.max() >= num_classes:
        raise DataError(
            f"The network returned label {int(values.max())}, but num_classes={num_classes}: expected 0 to "
            f"{num_classes - 1}."
        )
    return Verdict("labels", num_classes)


def _agreed(said: int | None, found: int | None, shape: tuple[int, ...]) -> int | None:
    if said is not None and found is not None and said != found:
        raise ConfigError(
            f"num_classes={said}, but the network's outputs have shape {shape}: {found} classes. Leave num_classes "
            "out, or choose the right output: wrap(net, output=...)."
        )
    return found if said is None else said


def _check_finite(raw: np.ndarray) -> None:
    if raw.dtype.kind != "f" or np.all(np.isfinite(raw)):
        return
    rows = np.flatnonzero(~np.all(np.isfinite(raw.reshape(len(raw), -1)), axis=1))
    raise DataError(
        f"The network's outputs are not finite: {len(rows)} of {len(raw)} rows, row {rows[0]} the first.\n"
        "  The input is finite, so look at the weights (NaN after a diverged training?), at the preprocessing, or at "
        "overflow in half precision."
    )


def _not_probabilities(values: np.ndarray, why: str) -> str:
    total = values.sum(axis=1)
    return (
        f"The network was wrapped with outputs='probabilities', but {why}: values from {values.min():.4g} to "
        f"{values.max():.4g}, row sums from {total.min():.4g} to {total.max():.4g}.\n"
        "  Unnormalised outputs are outputs='logits'; independent ones (several labels at once) are outputs='scores'."
    )
