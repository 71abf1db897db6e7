"""Small neutral operations that the core and the algorithms share. Each takes `xp` and native tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from armour_core.protocols.backend import Array


def wide(xp: Any, v: Array, rank: int) -> Array:
    """(N,) -> (N, 1, .., 1) of this rank, so that it broadcasts over a batch."""
    return xp.reshape(v, (v.shape[0],) + (1,) * (rank - 1))


def flat(xp: Any, x: Array) -> Array:
    """(N, ...) -> (N, D)."""
    return xp.reshape(x, (x.shape[0], -1))


def span(x: Array, first: int, n: int) -> Array:
    """n rows from `first`, or as many as there are: the standard promises no slice that ends beyond the end."""
    return x[first : min(first + n, x.shape[0]), ...]


def row_sum(xp: Any, x: Array) -> Array:
    """Sum over all but the sample axis: (N,)."""
    return xp.sum(flat(xp, x), axis=1)


def one_hot(xp: Any, labels: Array, classes: int) -> Array:
    """bool (..., classes) from integer labels (...); a label outside 0 .. classes-1 gives no True."""
    return xp.expand_dims(labels, axis=-1) == xp.arange(classes, dtype=labels.dtype)


def pick(xp: Any, outputs: Array, labels: Array) -> Array:
    """`outputs[i, labels[i]]`, differentiable: (..., C) and (...) -> (...)."""
    return xp.sum(xp.where(one_hot(xp, labels, outputs.shape[-1]), outputs, 0.0), axis=-1)


def lead(xp: Any, outputs: Array, labels: Array) -> Array:
    """The largest output of any other class minus the label's: (..., C) and (...) -> (...), differentiable."""
    hot = one_hot(xp, labels, outputs.shape[-1])
    own = xp.sum(xp.where(hot, outputs, 0.0), axis=-1)
    return xp.max(xp.where(hot, -xp.inf, outputs), axis=-1) - own


def log_softmax(xp: Any, z: Array) -> Array:
    """Stable log-probabilities along the last axis."""
    z = z - xp.max(z, axis=-1, keepdims=True)
    return z - xp.log(xp.sum(xp.exp(z), axis=-1, keepdims=True))


def as_logits(xp: Any, outputs: Array, kind: str) -> Array:
    """Outputs that a softmax turns into the model's probabilities: log p where it tells these, else as they are."""
    if kind != "probabilities":
        return outputs
    least = float(xp.finfo(outputs.dtype).smallest_normal) ** 0.75  # 1 / p, times an attack's constants, stays finite
    return xp.log(xp.maximum(outputs, least))
