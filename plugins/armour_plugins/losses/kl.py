"""Divergence from the clean prediction."""

from attrs import frozen

from armour_core.errors import ConfigError
from armour_core.functional import log_softmax


@frozen(kw_only=True)
class KL:
    """KL(p(x) ‖ p(x')), the inner loss of TRADES: no label is asked.

    Source: Zhang et al., arXiv:1901.08573. Its gradient is zero at x' = x: start from a random point.
    """

    def __call__(self, logits, goal, *, backend, clean=None):
        """(N, C) logits -> (N,). Raises ConfigError for a target, and where the clean logits are not known."""
        if goal.kind != "untargeted":
            raise ConfigError("loss kl has no targeted form: use ce, margin or dlr for targets.")
        if clean is None:
            raise ConfigError("loss kl compares with the clean prediction: give Problem(clean=model(x)).")
        xp = backend.xp
        before = log_softmax(xp, clean)
        return xp.sum(xp.exp(before) * (before - log_softmax(xp, logits)), axis=-1)
