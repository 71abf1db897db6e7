"""Logit margin."""

from attrs import frozen

from armour_core.functional import lead


@frozen(kw_only=True)
class Margin:
    """How far the best other logit is above the label's; towards a target, how far the target is above the rest.

    Source: Carlini & Wagner, arXiv:1608.04644, without the hinge. Never saturates.
    """

    def __call__(self, logits, goal, *, backend, clean=None):
        """(N, C) logits -> (N,)."""
        ahead = lead(backend.xp, logits, goal.labels)
        return ahead if goal.kind == "untargeted" else -ahead
