"""HopSkipJump."""

import math
from typing import ClassVar

from attrs import frozen

from armour_core.fields import norm_field, positive, positive_int

_BLOCK = 32  # points of one sample that are asked at once


@frozen(kw_only=True)
class HopSkipJump:
    """From a point across the boundary: bisect towards x, estimate the boundary's normal from labels, jump along it.

    Source: Chen, Jordan & Wainwright, arXiv:1904.02144. The start is the first of `starts` uniform points of the bounds
    that meets the goal; a sample without one fails alone. Step sizes are halved per sample, and the best point ever met
    is what counts.
    """

    norm: str = norm_field("l2", "linf")
    steps: int = positive_int(40)  #: jumps
    first_points: int = positive_int(100)  #: points of the first estimate; grows with the square root of the jump
    most_points: int = positive_int(10000)  #: points of any estimate
    gamma: float = positive(1.0)  #: tolerance of the bisection, in units of the paper
    starts: int = positive_int(100)  #: uniform points tried as a start
    minimum: ClassVar[bool] = True
    traceable: ClassVar[bool] = False

    def start(self, p, rng):
        """A point across the boundary, bisected onto it."""
        xp = p.xp
        found = xp.zeros((p.x.shape[0],), dtype=xp.bool)
        x, low, high = p.x, *p.bounds
        for i in range(self.starts):
            wanted = xp.logical_not(found)
            if not p.some(wanted):
                break
            trial = p.inside(xp.astype(rng.at(i).uniform(p.x.shape, low, high), p.x.dtype))
            met = p.success(trial, where=wanted) & wanted
            x, found = p.where(met, trial, x), found | met
        x = self._bisect(p, x, found)
        return {"x": x, "found": found, "done": xp.logical_not(found)}

    def step(self, p, state, k, rng):
        """One jump."""
        xp, found = p.xp, state["found"]
        x = state["x"]
        far = p.distance(x)
        size = self._probe(p, far, k)
        normal = self._normal(p, x, size, k, found, rng)
        direction = p.norm.steepest(normal)
        stride = far / math.sqrt(k + 1)
        jumped, open_rows = x, found
        for _ in range(25):  # halve until across the boundary again, each sample alone
            if not p.some(open_rows):
                break
            trial = p.inside(x + p.wide(stride) * direction)
            met = p.success(trial, where=open_rows) & open_rows
            jumped = p.where(met, trial, jumped)
            open_rows = open_rows & xp.logical_not(met)
            stride = xp.where(open_rows, stride / 2, stride)
        landed = self._bisect(p, jumped, found)
        closer = p.distance(landed) < far
        return state | {"x": p.where(closer | xp.logical_not(open_rows), landed, x)}

    def finish(self, p, state):
        """Where it stands."""
        return state["x"]

    def _tolerance(self, p):
        d = math.prod(p.x.shape[1:])
        return self.gamma / (d * math.sqrt(d)) if self.norm == "l2" else self.gamma / (d * d)

    def _probe(self, p, far, k):
        """How far from x the estimate's points lie: (N,)."""
        low, high = p.bounds
        if k == 0:
            return p.xp.full_like(far, 0.1 * (high - low))
        d = math.prod(p.x.shape[1:])
        return far * (math.sqrt(d) if self.norm == "l2" else d) * self._tolerance(p)

    def _normal(self, p, x, size, k, rows, rng):
        """The mean of random directions, weighted by which side of the boundary they end on."""
        xp = p.xp
        n, rank = x.shape[0], x.ndim
        points = min(int(self.first_points * math.sqrt(k + 1)), self.most_points)
        total, side, directions = xp.zeros_like(x), xp.zeros((n,), dtype=x.dtype), xp.zeros_like(x)
        for i, first in enumerate(range(0, points, _BLOCK)):
            shape = (n, min(_BLOCK, points - first), *x.shape[1:])
            draw = rng.at(i)
            noise = draw.normal(shape) if self.norm == "l2" else draw.uniform(shape, -1.0, 1.0)
            noise = xp.astype(noise, x.dtype)
            if p.mask is not None:
                mask = p.mask if p.mask.ndim < rank else xp.expand_dims(p.mask, axis=1)
                noise = xp.where(mask, noise, xp.zeros_like(noise))
            flat = xp.reshape(noise, (n, shape[1], -1))
            length = xp.sqrt(xp.sum(flat * flat, axis=2))
            noise = noise / xp.reshape(length, (n, shape[1]) + (1,) * (rank - 1))
            here = xp.expand_dims(x, axis=1)
            step = xp.reshape(size, (n, 1) + (1,) * (rank - 1))
            asked = xp.clip(here + step * noise, *p.bounds)
            noise = (asked - here) / step
            met = xp.astype(p.success(asked, where=rows, keep=not p.constraints), x.dtype) * 2.0 - 1.0
            weight = xp.reshape(met, (n, shape[1]) + (1,) * (rank - 1))
            total = total + xp.sum(weight * noise, axis=1)
            directions = directions + xp.sum(noise, axis=1)
            side = side + xp.sum(met, axis=1)
        mean = side / points
        centred = total - p.wide(mean) * directions
        # On one side only, there is nothing to subtract: go along the mean direction, or against it.
        return p.where(xp.abs(mean) > 1.0 - 0.5 / points, p.wide(mean) * directions, centred)

    def _bisect(self, p, x, rows):
        """Towards the clean sample, to within the tolerance: the last point that is still across."""
        xp = p.xp
        if self.norm == "l2":
            high = xp.ones((x.shape[0],), dtype=x.dtype)
            limit = xp.full_like(high, self._tolerance(p))
        else:
            high = p.distance(x)
            limit = xp.minimum(high * self._tolerance(p), self._tolerance(p))
        low = xp.zeros_like(high)
        best = x
        for _ in range(40):
            middle = (low + high) / 2  # where floats have none between, the tolerance is out of reach
            open_rows = rows & (high - low > limit) & (low < middle) & (middle < high)
            if not p.some(open_rows):
                break
            trial = self._between(p, x, p.wide(middle))
            met = p.success(trial, where=open_rows)
            here, back = open_rows & met, open_rows & xp.logical_not(met)
            best = p.where(here, trial, best)
            high, low = xp.where(here, middle, high), xp.where(back, middle, low)
        return best

    def _between(self, p, x, t):
        """Between the clean sample and x: a share t of the way, or within t of it in every element."""
        if self.norm == "l2":
            return p.inside(p.x + t * (x - p.x))
        return p.inside(p.x + p.xp.clip(x - p.x, -t, t))
