"""Projected gradient descent."""

from attrs import frozen

from armour_core.fields import flag, name_of, norm_field, positive, positive_int


@frozen(kw_only=True)
class PGD:
    """Climb the loss, step by step, and project back onto the ball.

    Source: Madry et al., arXiv:1706.06083. Keeps the best iterate of every restart.
    """

    norm: str = norm_field("linf", "l2", "l1")
    steps: int = positive_int(40)  #: gradient steps in one round
    rel_step: float | None = positive(None)  #: step over eps; None means 2.5 / steps
    rounds: int = positive_int(1)  #: restarts
    random_start: bool = flag(True)  #: start uniform in the ball; False: at x
    loss: str = name_of("loss", "ce")  #: a registered loss: ce, dlr, margin, kl

    def start(self, p, rng):
        """A point of the ball."""
        x = p.inside(p.x + p.norm.sample(p.x, p.eps, rng)) if self.random_start else p.x
        return {"x": x}

    def again(self, p, state, r, rng):
        """A restart. Where the round before ended is asked first: the engine's last check sees the last round only."""
        p.query(state["x"])
        return self.start(p, rng)

    def step(self, p, state, k, rng):
        """Uphill, and back inside."""
        _, g = p.grad(state["x"], self.loss)
        size = p.eps * (self.rel_step or 2.5 / self.steps)
        return {"x": p.inside(state["x"] + size * p.norm.steepest(g, state["x"]))}

    def finish(self, p, state):
        """The last iterate."""
        return state["x"]
