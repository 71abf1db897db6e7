"""Fast gradient (sign) method."""

from attrs import field, frozen

from armour_core.fields import name_of, norm_field


@frozen(kw_only=True)
class FGSM:
    """One step to the point of ball and bounds where the loss, taken as linear at x, is highest.

    Source: Goodfellow et al., arXiv:1412.6572. For Linf that is the sign step; for L2 and L1 elements that the bounds
    stop give their share of eps to the others, so the answer is exact on a linear model in every norm.
    """

    norm: str = norm_field("linf", "l2", "l1")
    loss: str = name_of("loss", "ce")  #: what is climbed
    steps: int = field(default=1, init=False)

    def start(self, p, rng):
        """The clean rows."""
        return {"x": p.x}

    def step(self, p, state, k, rng):
        """The linear maximum."""
        _, g = p.grad(state["x"], self.loss)
        return {"x": p.inside(p.norm.extreme(p.x, g, p.eps))}

    def finish(self, p, state):
        """Where it went."""
        return state["x"]
