"""Carlini & Wagner's L2 attack."""

from typing import ClassVar

from attrs import field, frozen

from armour_core.fields import flag, non_negative, norm_field, positive, positive_int


@frozen(kw_only=True)
class CW:
    """Minimise squared distance plus c times a hinge on the margin, over w with x' = mid + half tanh(w), by Adam.

    Source: Carlini & Wagner, arXiv:1608.04644. c is searched per sample, a round each: times 10 until the first
    success, then by bisection; Adam and w begin anew in each. Distances are taken with the bounds scaled to [0, 1], so
    that the paper's constants hold for any bounds. A sample whose objective stalls rests until the next round. With a
    confidence the books, which take any success, do not serve: the attack keeps its own best.
    """

    norm: str = norm_field("l2")
    steps: int = positive_int(1000)  #: Adam steps in one round
    rounds: int = positive_int(9)  #: values of c that are tried
    learning_rate: float = positive(0.01)  #: of Adam, in w
    initial_const: float = positive(1e-3)  #: the first c
    confidence: float = non_negative(0.0)  #: margin that a success must have
    abort_early: bool = flag(True)  #: look ten times a round whether the objective still falls
    minimum: ClassVar[bool] = True
    _betas: tuple[float, float] = field(default=(0.9, 0.999), init=False)

    def start(self, p, rng):
        """c at its first value, and w at x."""
        xp = p.xp
        const = xp.full((p.x.shape[0],), self.initial_const, dtype=self._dtype(p))
        zero, top = xp.zeros_like(const), xp.full_like(const, xp.inf)
        own = {"best": p.x, "size": xp.astype(top, p.x.dtype)} if self.confidence else {}
        return self._round(p, const, zero, top) | own

    def again(self, p, state, r, rng):
        """The next c: halfway below a success, above a failure, or ten times more where nothing has succeeded yet."""
        xp = p.xp
        const, met = state["const"], state["met"]
        high = xp.where(met, xp.minimum(state["high"], const), state["high"])
        low = xp.where(met, state["low"], xp.maximum(state["low"], const))
        bounded = xp.isfinite(high)
        middle = (low + xp.where(bounded, high, low)) / 2
        own = {key: state[key] for key in ("best", "size") if key in state}
        return self._round(p, xp.where(bounded, middle, const * 10.0), low, high) | own

    def step(self, p, state, k, rng):
        """One step of Adam, down the objective."""
        xp = p.xp
        low, high = p.bounds
        const, start, (b1, b2) = state["const"], p.x, self._betas

        def hinge(logits):  # climbed
            margin = p.goal.margin(logits)
            margin = margin if const.dtype == start.dtype else xp.astype(margin, const.dtype)
            return const * xp.minimum(margin, self.confidence)

        value, g = p.grad(state["w"], hinge, via=lambda w: self._x(p, w), keep=not self.confidence)
        squash = xp.tanh(state["w"])
        x = self._x(p, state["w"])
        d = xp.astype(x - start, const.dtype) / (high - low)
        far = d * (1.0 - squash * squash)  # gradient of the squared distance: 2 d times dx'/dw, which is half of this
        g = far - g
        t = xp.astype(k, g.dtype) + 1.0
        m = b1 * state["m"] + (1 - b1) * g
        v = b2 * state["v"] + (1 - b2) * g * g
        step = self.learning_rate * (m / (1.0 - b1**t)) / (xp.sqrt(v / (1.0 - b2**t)) + 1e-8)
        objective = xp.sum(xp.reshape(d * d, (d.shape[0], -1)), axis=1) - value
        done, best = state["done"], state["objective"]
        if self.abort_early:
            every = max(1, self.steps // 10)
            look = xp.remainder(k, every) == every - 1
            done = done | (look & (objective > 0.9999 * best))
            best = xp.where(look, objective, best)
        sure = value >= const * self.confidence
        new = {"w": state["w"] - step, "m": m, "v": v, "objective": best, "met": state["met"] | sure, "done": done}
        if self.confidence:
            size = p.distance(x)
            closer = sure & (size < state["size"])
            new |= {"best": p.where(closer, x, state["best"]), "size": xp.where(closer, size, state["size"])}
        return state | new

    def finish(self, p, state):
        """Where w is; with a confidence, the nearest point that had it, else the clean one."""
        return state["best"] if self.confidence else self._x(p, state["w"])

    def _round(self, p, const, low, high):
        xp = p.xp
        bottom, top = p.bounds
        unit = (xp.astype(p.x, const.dtype) - (bottom + top) / 2) / ((top - bottom) / 2)
        w = xp.atanh(unit * 0.999999)
        no = xp.zeros((p.x.shape[0],), dtype=xp.bool)
        return {
            "w": w, "m": xp.zeros_like(w), "v": xp.zeros_like(w), "const": const, "low": low, "high": high,
            "objective": xp.full_like(const, xp.inf), "met": no, "done": no,
        }  # fmt: skip

    def _x(self, p, w):
        """From w to the bounds; a masked element stays at x. Gradients do not see the constraints."""
        low, high = p.bounds
        x = (low + high) / 2 + (high - low) / 2 * p.xp.tanh(w)
        x = x if p.x.dtype == self._dtype(p) else p.xp.astype(x, p.x.dtype)
        if p.constraints:
            x = p.backend.stop_gradient(p.inside(x)) + (x - p.backend.stop_gradient(x))
        return x if p.mask is None else p.xp.where(p.mask, x, p.x)

    def _dtype(self, p):
        """What w and Adam are kept in: at least float32, since the tiny numbers of Adam vanish in less."""
        return p.x.dtype if p.x.dtype == p.xp.float64 else p.xp.float32
