"""What an attack hands back is measured on the host in float64, and rounded so that it holds in the caller's dtype.

The engine never trusts an attack: excess within rounding is projected back, anything more is a ContractError.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from armour_core import norms
from armour_core.errors import ContractError

_BLOCK = 1 << 14  # elements measured at once: float64 copies of a whole batch cost more in page faults than in work


def tolerance(norm: str, eps: float, bounds: tuple[float, float], elements: int, dtype: np.dtype[Any]) -> float:
    """How far beyond the ball rounding in `dtype` may take a perturbation of this many elements."""
    if norm == "l0":
        return 0.0
    unit = float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
    slack = max(1e-6, unit) * (bounds[1] - bounds[0]) + max(1e-5, unit) * eps
    return slack if norm == "linf" else slack * math.sqrt(elements)


def distances(norm: str, bounds: tuple[float, float], x: np.ndarray, adversarial: np.ndarray) -> np.ndarray:
    """float64 (N,): sizes of the perturbations as they are stored."""
    d = adversarial.astype(np.float64) - x.astype(np.float64)
    return np.asarray(norms.bind(norm, np, bounds).size(d))


def settle(
    adversarial: np.ndarray,
    seen: np.ndarray,
    x: np.ndarray,
    *,
    norm: str,
    eps: np.ndarray | None,
    bounds: tuple[float, float],
    mask: np.ndarray | None,
    plugin: str,
) -> np.ndarray:
    """`adversarial` in the dtype of x, inside bounds and ball to the last bit, masked elements bit-equal to x.

    seen: the rows as the model saw them; x: as the caller gave them; eps: float64 (N,), or None. Raises ContractError
    naming the plugin, the rule, how many samples, and the worst excess.
    """
    n = len(x)
    if adversarial.shape != x.shape:
        raise ContractError(
            f"{plugin} returned shape {adversarial.shape} for a batch of shape {x.shape}: "
            "return one row per sample, like x."
        )
    finite = np.isfinite(adversarial.reshape(n, -1)).all(axis=1)
    if not finite.all():
        raise ContractError(f"{plugin} returned NaN or infinity in {n - int(finite.sum())} of {n} samples.")
    result, elements = np.empty_like(x), int(np.prod(x.shape[1:]))
    beyond, over = np.zeros(n), np.zeros(n)  # outside the bounds, outside the ball
    block = max(1, _BLOCK // max(1, elements))
    for first in range(0, n, block):
        rows = slice(first, first + block)
        free = None if mask is None else mask[rows]
        sizes = None if eps is None else eps[rows]
        result[rows], beyond[rows], over[rows] = _settled(
            adversarial[rows], seen[rows], x[rows], norm, sizes, bounds, free
        )
    _refuse(plugin, f"bounds {bounds}", beyond, np.full(n, tolerance("linf", 0.0, bounds, 1, seen.dtype)))
    if eps is not None:
        allowed = np.array([tolerance(norm, e, bounds, elements, seen.dtype) for e in eps])
        _refuse(plugin, f"{norm} ball", over, allowed)
    return result


def _settled(
    adversarial: np.ndarray,
    seen: np.ndarray,
    x: np.ndarray,
    norm: str,
    eps: np.ndarray | None,
    bounds: tuple[float, float],
    mask: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some rows, settled; and how far each was outside bounds and ball."""
    n, (low, high) = len(x), bounds
    start, found = x.astype(np.float64), adversarial.astype(np.float64)
    beyond, over = np.zeros(n), np.zeros(n)
    same = None if mask is None else ~mask  # elements that stay bit-equal to the caller's
    if seen.dtype != x.dtype:  # what the attack left alone, in the dtype it saw, is left alone
        same = adversarial == seen if same is None else same | (adversarial == seen)
    if same is not None:
        found[same] = start[same]
    if found.min() < low or found.max() > high:
        excess = np.maximum(low - found, found - high)
        if same is not None:
            excess[same] = 0.0
        beyond = excess.reshape(n, -1).max(axis=1)
        np.clip(found, low, high, out=found)
        if same is not None:
            found[same] = start[same]
    d = np.subtract(found, start, out=found)
    if eps is None:
        return _round_away(x, start, d, bounds), beyond, over
    size, wide = norms.bind(norm, np, bounds).size(d), (-1,) + (1,) * (x.ndim - 1)
    over = size - eps
    if norm == "linf" and (over > 0).any():
        np.clip(d, -eps.reshape(wide), eps.reshape(wide), out=d)
    elif norm in ("l2", "l1") and (over > 0).any():
        d *= np.where(over > 0, eps * (1 - 1e-12) / np.where(size > 0, size, 1.0), 1.0).reshape(wide)
    return _round_towards(x, start, d), beyond, over


def _refuse(plugin: str, rule: str, excess: np.ndarray, limit: np.ndarray) -> None:
    bad = excess > limit
    if bad.any():
        raise ContractError(
            f"{plugin} left the {rule} in {int(bad.sum())} of {len(bad)} samples, by up to {excess.max():.3g} "
            f"(rounding explains {limit.max():.1g}). Bring points back with p.inside before returning or keeping them."
        )


def _round_towards(x: np.ndarray, start: np.ndarray, d: np.ndarray) -> np.ndarray:
    """`start + d` in x's dtype; an element that rounding took farther from x than d goes one step back."""
    if not np.issubdtype(x.dtype, np.floating):
        return np.asarray((x.astype(np.int64) + np.trunc(d).astype(np.int64)).astype(x.dtype))
    result = (start + d).astype(x.dtype).reshape(-1)
    farther = np.flatnonzero(np.abs(result - start.reshape(-1)) > np.abs(d.reshape(-1)))
    result[farther] = np.nextafter(result[farther], x.reshape(-1)[farther])
    return np.asarray(result.reshape(x.shape))


def _round_away(x: np.ndarray, start: np.ndarray, d: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """The same for the smallest perturbation: no ball holds it, and towards x it would fall back across the boundary.

    A whole number that moved by less than a sixteenth stays: that much is the rounding of an attack's own arithmetic.
    """
    if not np.issubdtype(x.dtype, np.floating):
        return np.asarray((start + np.sign(d) * np.ceil(np.abs(d) - 0.0625)).astype(x.dtype))
    result = (start + d).astype(x.dtype)
    further = np.nextafter(result, np.where(d > 0, np.inf, -np.inf).astype(x.dtype))
    short = (np.abs(result - start) < np.abs(d)) & (further >= bounds[0]) & (further <= bounds[1])
    return np.asarray(np.where(short, further, result))
