"""Shapes that a caller may have meant when a network does not take the one it was given."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from armour_core.protocols.backend import Array

Guess = tuple[str, Callable[[Array], Array]]  # what to say when it fits, and how to make one row of it


def likely_shapes(shape: tuple[int, ...], xp: Any) -> Iterator[Guess]:
    """Likely mistakes first: order of the axes, the channel axis of grey images, flattening, the sample axis."""
    rank = len(shape)
    if rank == 4:
        yield from _orders(shape, xp)
        yield from _without_channels(shape, xp)
    if rank == 3:
        yield from _with_channels(shape, xp)
    if rank > 2:
        flat = math.prod(shape[1:])
        yield (
            f"It takes vectors: pass x of shape {(shape[0], flat)}, x.reshape(len(x), -1).",
            lambda x: xp.reshape(x[:1], (1, flat)),
        )
    yield (
        f"It takes batches, and x is a single sample: pass x[None], of shape {(1, *shape)}.",
        lambda x: xp.expand_dims(x, axis=0),
    )


def _orders(shape: tuple[int, ...], xp: Any) -> Iterator[Guess]:
    n, a, b, c = shape
    yield (
        f"It takes channels first (N, C, H, W): pass x of shape {(n, c, a, b)}, which is x.transpose(0, 3, 1, 2) in "
        "NumPy.",
        lambda x: xp.moveaxis(x[:1], -1, 1),
    )
    yield (
        f"It takes channels last (N, H, W, C): pass x of shape {(n, b, c, a)}, which is x.transpose(0, 2, 3, 1) in "
        "NumPy.",
        lambda x: xp.moveaxis(x[:1], 1, -1),
    )


def _without_channels(shape: tuple[int, ...], xp: Any) -> Iterator[Guess]:
    if shape[1] == 1:
        yield (
            f"It takes images without a channel axis: pass x[:, 0], of shape {(shape[0], *shape[2:])}.",
            lambda x: xp.squeeze(x[:1], axis=1),
        )
    if shape[3] == 1:
        yield (
            f"It takes images without a channel axis: pass x[..., 0], of shape {shape[:3]}.",
            lambda x: xp.squeeze(x[:1], axis=3),
        )


def _with_channels(shape: tuple[int, ...], xp: Any) -> Iterator[Guess]:
    n, h, w = shape
    if n in (1, 3, 4) or w in (1, 3, 4):  # rather one colour image than a batch of grey ones
        yield (
            f"It takes batches, and x is a single image: pass x[None], of shape {(1, *shape)}.",
            lambda x: xp.expand_dims(x, axis=0),
        )
    yield (
        f"It takes a channel axis, first: pass x[:, None], of shape {(n, 1, h, w)}.",
        lambda x: xp.expand_dims(x[:1], axis=1),
    )
    yield (
        f"It takes a channel axis, last: pass x[..., None], of shape {(n, h, w, 1)}.",
        lambda x: xp.expand_dims(x[:1], axis=3),
    )
