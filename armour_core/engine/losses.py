"""Losses by name, as the engine uses them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from armour_core import registry
from armour_core.functional import as_logits
from armour_core.goals import Goal
from armour_core.protocols.backend import Array, Backend


def named_loss(name: str) -> Any:
    """A registered loss in its default configuration."""
    return _default(registry.load("loss", name))


@functools.cache
def _default(loss: Callable[[], Any]) -> Any:
    return loss()


def training_loss(backend: Backend, outputs: Array, kind: str, goal: Goal) -> Array:
    """What `max_loss` climbs and training descends: the cross-entropy of outputs of this kind."""
    return named_loss("ce")(as_logits(backend.xp, outputs, kind), goal, backend=backend)
