"""Gaussian noise."""

from attrs import frozen

from armour_core.fields import norm_field, positive_int


@frozen(kw_only=True)
class GaussianNoise:
    """A Gaussian direction, scaled to the full size of eps, drawn until one of the draws succeeds.

    The baseline: what a model loses to this it loses to chance, and an attack that finds less is broken.
    Source: Rauber et al. (Foolbox), arXiv:1707.04131.
    """

    norm: str = norm_field("l2", "linf", "l1")
    steps: int = positive_int(10)  #: draws

    def start(self, p, rng):
        """The clean rows."""
        return {"x": p.x}

    def step(self, p, state, k, rng):
        """One draw, asked."""
        noise = p.xp.astype(rng.normal(p.x.shape), p.x.dtype)
        size = p.wide(p.norm.size(noise))
        x = p.inside(p.x + noise * (p.eps / size))
        p.success(x)
        return {"x": x}

    def finish(self, p, state):
        """The last draw."""
        return state["x"]
