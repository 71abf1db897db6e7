"""What a loss promises: one number for each example, shared by every attack and by training."""

from __future__ import annotations

from typing import Protocol

from armour_core.goals import Goal
from armour_core.protocols.backend import Array, Backend


class Loss(Protocol):
    """A frozen configuration that is called with outputs and a goal."""

    def __call__(self, logits: Array, goal: Goal, *, backend: Backend, clean: Array | None = None) -> Array:
        """(N, C) -> (N,): each row's own loss, differentiable in the logits.

        To be climbed: higher is nearer to the goal (for a target: already negated). clean: logits of the clean rows,
        for losses that compare with these; None in training.
        """
