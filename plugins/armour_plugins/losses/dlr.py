"""Difference of logits ratio."""

from attrs import frozen

from armour_core.functional import lead, pick


@frozen(kw_only=True)
class DLR:
    """The margin over the distance of the first from the third logit: rescaling the logits changes nothing.

    Source: Croce & Hein, arXiv:2003.01690. Untargeted it needs 3 classes, targeted 4; with fewer the margin is divided
    by the spread of the clean logits instead, which `fallback` says in words.
    """

    @staticmethod
    def fallback(classes: int, goal_kind: str) -> str | None:
        """What is used instead where there are too few classes; None where DLR itself is."""
        needed = 3 if goal_kind == "untargeted" else 4
        if classes >= needed:
            return None
        return (
            f"loss dlr needs {needed} classes and the model has {classes}: "
            "the margin over the spread of the clean logits was used"
        )

    def __call__(self, logits, goal, *, backend, clean=None):
        """(N, C) logits -> (N,)."""
        xp = backend.xp
        ahead = lead(xp, logits, goal.labels)
        if self.fallback(logits.shape[-1], goal.kind):
            base = backend.stop_gradient(logits) if clean is None else clean
            scale = xp.max(base, axis=-1) - xp.min(base, axis=-1)
            return (ahead if goal.kind == "untargeted" else -ahead) / (scale + 1e-12)
        ordered = xp.sort(logits, axis=-1, descending=True)
        if goal.kind == "untargeted":
            return ahead / (ordered[:, 0] - ordered[:, 2] + 1e-12)
        label = xp.argmax(logits if clean is None else clean, axis=-1)
        towards = pick(xp, logits, goal.labels) - pick(xp, logits, xp.astype(label, goal.labels.dtype))
        return towards / (ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2 + 1e-12)
