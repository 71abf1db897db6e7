"""Square attack."""

from attrs import frozen

from armour_core.fields import flag, fraction, norm_field, positive_int
from armour_plugins.attacks._squares import Plane, Window, tiles

_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # iterations of 10 000 at which the share is halved


@frozen(kw_only=True)
class Square:
    """Random search: a square patch of the perturbation is drawn anew, and kept where the margin rises.

    Source: Andriushchenko et al., arXiv:1912.00049; L1 as in Croce & Hein, arXiv:2103.01208. Linf starts from vertical
    stripes and sets patches to corners of the ball; L2 and L1 move the size of one window into another. Place and signs
    are drawn per sample, and the last row and column can be chosen. Vectors are planes of height 1.
    """

    norm: str = norm_field("linf", "l2", "l1")
    steps: int = positive_int(5000)  #: queries in one round, beside the first
    rounds: int = positive_int(1)  #: restarts
    p_init: float = fraction(0.8)  #: share of the pixels in the first patches
    rescale_schedule: bool = flag(False)  #: read the paper's schedule of 10 000 iterations as shares of `steps`

    def start(self, p, rng):
        """Stripes, or tiles; asked."""
        plane = Plane(p)
        if self.norm == "linf":
            signs = plane.signs(rng, height=1)
            x = p.inside(p.x + p.eps * signs)
        else:
            x = p.inside(p.x + self._full(p, tiles(plane, rng)))
        return {"x": x, "margin": p.margin(x)}

    def step(self, p, state, k, rng):
        """One candidate, asked; kept where it is better."""
        plane = Plane(p)
        x = state["x"]
        side = self._side(p, plane, k)
        if self.norm == "linf":
            here, d = Window(plane, rng, side), p.eps * plane.signs(rng, height=1, width=1)
            trial = p.inside(p.xp.where(here.mask, p.x + d, x))
            same = p.norm.size(trial - x) == 0  # nothing new to ask: the opposite signs are
            trial = p.where(same, p.inside(p.xp.where(here.mask, p.x - d, x)), trial)
        else:
            trial = p.inside(p.x + self._moved(p, plane, x - p.x, side, rng))
        margin = p.margin(trial)
        better = margin > state["margin"]
        return {"x": p.where(better, trial, x), "margin": p.xp.where(better, margin, state["margin"])}

    def finish(self, p, state):
        """The best so far."""
        return state["x"]

    def _side(self, p, plane, k):
        """Side of the patch at step k, a float 0-d tensor of a whole value; for vectors its length."""
        xp = p.xp
        at = xp.astype(k, xp.float32)
        if self.rescale_schedule:
            at = xp.floor(at * (10000.0 / self.steps))
        share = xp.zeros_like(at) + self.p_init
        for iteration in _HALVINGS:
            share = xp.where(at > iteration, share / 2, share)
        if plane.height == 1:
            side, longest = xp.round(share * plane.width), plane.width
        else:
            side, longest = xp.round(xp.sqrt(share * (plane.height * plane.width))), min(plane.height, plane.width)
        if self.norm != "linf":  # an odd side of at least 3 has a middle
            side = xp.maximum(side, 3.0)
            side = side + xp.astype(xp.remainder(side, 2.0) == 0, side.dtype)
            longest = max(1, longest - (longest + 1) % 2)
        return xp.clip(side, 1.0, float(longest))

    def _full(self, p, d):
        """A perturbation brought to the full size of eps."""
        size = p.wide(p.norm.size(d))
        return d * (p.eps / p.xp.where(size > 0, size, p.xp.ones_like(size)))

    def _moved(self, p, plane, d, side, rng):
        """All the size of two windows, and what eps leaves unused, put into the first of them with a new pattern."""
        xp = p.xp
        power = 2 if self.norm == "l2" else 1

        def size(v):  # per sample and channel
            total = plane.sum(xp.abs(v) if power == 1 else v * v)
            return total if power == 1 else xp.sqrt(total)

        first, second = Window(plane, rng, side), Window(plane, rng, side)
        turned = p.wide(rng.uniform((p.x.shape[0],)) < 0.5)
        zero = xp.zeros_like(d)
        pattern = plane.pattern(first.rows, first.columns, side, turned) * plane.signs(rng, height=1, width=1)
        pattern = xp.where(first.mask, pattern, zero)
        inside = xp.where(first.mask, d, zero)
        both = first.mask | second.mask
        used = p.wide(p.norm.size(d))
        unused = xp.maximum(p.eps**power - used**power, 0.0) / plane.channels
        available = size(xp.where(both, d, zero)) ** power + unused
        available = available if power == 1 else xp.sqrt(available)
        new = pattern / plane.positive(size(pattern)) + inside / plane.positive(size(inside))
        new = new * (available / plane.positive(size(new)))
        return xp.where(both, new, d)
