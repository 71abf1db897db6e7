"""Cross-entropy."""

from attrs import frozen


@frozen(kw_only=True)
class CE:
    """-log p of the label; towards a target, log p of it. By log-sum-exp, so that large logits do not underflow."""

    def __call__(self, logits, goal, *, backend, clean=None):
        """(N, C) logits -> (N,)."""
        loss = backend.cross_entropy(logits, goal.labels)
        return loss if goal.kind == "untargeted" else -loss
