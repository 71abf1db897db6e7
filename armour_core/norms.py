"""The four norms: sizes, exact projections, steepest directions, uniform samples. All per sample, all neutral.

Sources: Duchi et al. 2008 (L1 ball), Croce & Hein arXiv:2103.01208 (L1 ball and box).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from attrs import frozen

from armour_core.errors import ConfigError
from armour_core.functional import flat, row_sum, wide

if TYPE_CHECKING:
    from armour_core.protocols.backend import Array
    from armour_core.rng import Rng


class Norm(Protocol):
    """One norm, bound to a namespace, the bounds and the mask. `eps` is 0-d or (N, 1, .., 1), in the units of x."""

    name: ClassVar[str]

    def size(self, d: Array) -> Array:
        """(N, ...) -> (N,)."""

    def project(self, d: Array, eps: Array) -> Array:
        """The nearest perturbation in the ball, on masked elements zero."""

    def inside(self, x0: Array, x: Array, eps: Array) -> Array:
        """The point nearest to `x` that is in the ball around `x0` and in the bounds, both at once."""

    def corridor(self, x0: Array, eps: Array) -> tuple[Array, Array] | None:
        """Lowest and highest legal value of each element, where these are all there is to ball, bounds and mask."""

    def steepest(self, g: Array, x: Array | None = None) -> Array:
        """The direction of unit size along which g rises fastest; with `x`, among elements that can still move."""

    def extreme(self, x0: Array, g: Array, eps: Array) -> Array:
        """The point of ball and bounds farthest along g: the exact maximum of a linear loss."""

    def sample(self, x: Array, eps: Array, rng: Rng) -> Array:
        """A perturbation uniform in the ball (the bounds are not looked at)."""


_PASSES = 16


@frozen
class _Bound:
    xp: Any
    bounds: tuple[float, float]
    mask: Array | None = None
    settled: Callable[[Array], bool] | None = None  #: told what still moves; True ends a loop that nothing moves in

    def corridor(self, x0: Array, eps: Array) -> tuple[Array, Array] | None:
        return None

    def _free(self, d: Array) -> Array:
        return d if self.mask is None else self.xp.where(self.mask, d, self.xp.zeros_like(d))

    def _room(self, x: Array, towards: Array) -> Array:
        """How far each element of x can go in the direction of the sign of `towards`; 0 where masked."""
        xp, (low, high) = self.xp, self.bounds
        return self._free(xp.maximum(xp.where(towards > 0, high - x, x - low), 0.0))

    def _count(self, x: Array) -> Array:
        """How many elements of a sample may change: (N,)."""
        xp = self.xp
        if self.mask is None:
            return xp.full((x.shape[0],), flat(xp, x).shape[1], dtype=x.dtype)
        return row_sum(xp, xp.where(self.mask, xp.ones_like(x), xp.zeros_like(x)))


class Linf(_Bound):
    """The largest change of any element."""

    name: ClassVar[str] = "linf"

    def size(self, d: Array) -> Array:
        return self.xp.max(flat(self.xp, self.xp.abs(d)), axis=1)

    def project(self, d: Array, eps: Array) -> Array:
        return self._free(self.xp.clip(d, -eps, eps))

    def inside(self, x0: Array, x: Array, eps: Array) -> Array:
        return self.xp.clip(x, *self.corridor(x0, eps))

    def corridor(self, x0: Array, eps: Array) -> tuple[Array, Array]:
        xp, reach = self.xp, self._free(eps + self.xp.zeros_like(x0))
        return xp.maximum(x0 - reach, self.bounds[0]), xp.minimum(x0 + reach, self.bounds[1])

    def steepest(self, g: Array, x: Array | None = None) -> Array:
        return self._free(self.xp.sign(g))

    def extreme(self, x0: Array, g: Array, eps: Array) -> Array:
        return self.inside(x0, x0 + eps * self.xp.sign(g), eps)

    def sample(self, x: Array, eps: Array, rng: Rng) -> Array:
        unit = self.xp.astype(rng.uniform(x.shape, -1.0, 1.0), x.dtype)
        return self._free(unit * eps)


class L2(_Bound):
    """The Euclidean length of the change."""

    name: ClassVar[str] = "l2"

    def size(self, d: Array) -> Array:
        # Scaled by the largest element first: squares neither overflow nor vanish.
        xp = self.xp
        d = flat(xp, d)
        top = xp.max(xp.abs(d), axis=1, keepdims=True)
        scale = xp.where(top > 0, top, xp.ones_like(top))
        return xp.sqrt(xp.sum(xp.square(d / scale), axis=1)) * xp.squeeze(scale, axis=1)

    def project(self, d: Array, eps: Array) -> Array:
        xp = self.xp
        d = self._free(d)
        size = wide(xp, self.size(d), d.ndim)
        return d * xp.minimum(eps / xp.where(size > 0, size, xp.ones_like(size)), 1.0)

    def inside(self, x0: Array, x: Array, eps: Array) -> Array:
        xp, (low, high) = self.xp, self.bounds
        v = self._free(x - x0)
        room = self._room(x0, v)
        reach = xp.abs(v)
        t = xp.minimum(self._stretch(reach, room, eps), 1.0)
        d = xp.sign(v) * xp.minimum(reach * t, room)
        return xp.clip(x0 + self.project(d, eps), low, high)

    def steepest(self, g: Array, x: Array | None = None) -> Array:
        xp = self.xp
        g = self._free(g)
        size = wide(xp, self.size(g), g.ndim)
        return g / xp.where(size > 0, size, xp.ones_like(size))

    def extreme(self, x0: Array, g: Array, eps: Array) -> Array:
        xp, (low, high) = self.xp, self.bounds
        g = self.steepest(g)  # unit length, so that t below has the size of eps
        room = self._room(x0, g)
        reach = xp.abs(g)
        d = xp.sign(g) * xp.minimum(reach * self._stretch(reach, room, eps), room)
        return xp.clip(x0 + self.project(d, eps), low, high)

    def sample(self, x: Array, eps: Array, rng: Rng) -> Array:
        xp = self.xp
        direction = self.steepest(xp.astype(rng.normal(x.shape), x.dtype))
        radius = xp.astype(rng.uniform((x.shape[0],)), x.dtype) ** (1.0 / xp.maximum(self._count(x), 1.0))
        return direction * wide(xp, radius, x.ndim) * eps

    def _stretch(self, reach: Array, room: Array, eps: Array) -> Array:
        """t >= 0, (N, 1, .., 1), with ||min(reach t, room)|| = eps; where all the room is shorter than eps, no smaller
        than what fills it. reach, room >= 0.

        The squared length is a sum of parabolas, each flat from its breakpoint room / reach on. Solving with the
        elements that are clipped now falls short, since more may clip: so the clipped set only grows, and where it
        stops the answer is exact (Michelot's argument). Perturbations of images take 2 to 5 passes, lognormal ones with
        six decades of spread 16; a row that would need more is left inside the ball.
        """
        xp = self.xp
        rank = reach.ndim
        reach, room = flat(xp, reach), flat(xp, room)
        eps = xp.broadcast_to(xp.reshape(eps, (-1, 1)) if eps.ndim else eps, (reach.shape[0], 1))
        zero, target = xp.zeros_like(reach), xp.square(eps)
        moved, held = xp.square(reach), xp.square(room)
        total = xp.sum(moved, axis=1, keepdims=True)
        t = eps / xp.sqrt(xp.where(total > 0, total, xp.ones_like(total)))
        for _ in range(_PASSES):
            clipped = reach * t >= room
            gone = xp.sum(xp.where(clipped, held, zero), axis=1, keepdims=True)
            slope = xp.sum(xp.where(clipped, zero, moved), axis=1, keepdims=True)
            longer = xp.sqrt(xp.maximum(target - gone, 0.0) / xp.where(slope > 0, slope, xp.ones_like(slope)))
            longer = xp.where(slope > 0, xp.maximum(longer, t), t)
            if self.settled is not None and self.settled(longer > t):
                break
            t = longer
        return wide(xp, xp.squeeze(t, axis=1), rank)


class L1(_Bound):
    """The sum of all changes."""

    name: ClassVar[str] = "l1"

    def size(self, d: Array) -> Array:
        return row_sum(self.xp, self.xp.abs(d))

    def project(self, d: Array, eps: Array) -> Array:
        xp = self.xp
        d = self._free(d)
        reach = xp.abs(d)
        theta = self._shrink(reach, reach, eps)
        return self._fit(xp.sign(d) * xp.maximum(reach - theta, 0.0), eps)

    def inside(self, x0: Array, x: Array, eps: Array) -> Array:
        xp, (low, high) = self.xp, self.bounds
        v = self._free(x - x0)
        reach, room = xp.abs(v), self._room(x0, v)
        theta = self._shrink(reach, room, eps)
        d = xp.sign(v) * xp.minimum(xp.maximum(reach - theta, 0.0), room)
        return xp.clip(x0 + self._fit(d, eps), low, high)

    def steepest(self, g: Array, x: Array | None = None) -> Array:
        xp = self.xp
        pull = xp.abs(self._free(g))
        if x is not None:  # a room of a few roundings, left by x0 + d, is none: the step would be lost
            low, high = self.bounds
            pull = xp.where(self._room(x, g) > 1e-6 * (high - low), pull, xp.zeros_like(pull))
        pull = flat(xp, pull)
        top = xp.expand_dims(xp.astype(xp.argmax(pull, axis=1), xp.int32), axis=1)
        chosen = xp.reshape(xp.arange(pull.shape[1], dtype=xp.int32) == top, g.shape)
        return xp.where(chosen, xp.sign(self._free(g)), xp.zeros_like(g))

    def extreme(self, x0: Array, g: Array, eps: Array) -> Array:
        """The elements with the largest gradient, each to the bound, until eps is spent."""
        xp, (low, high) = self.xp, self.bounds
        pull, room = flat(xp, xp.abs(self._free(g))), flat(xp, self._room(x0, g))
        order = xp.argsort(pull, axis=1, descending=True, stable=True)
        room = xp.take_along_axis(room, order, axis=1)
        spent = xp.cumulative_sum(room, axis=1) - room
        left = xp.maximum((xp.reshape(eps, (-1, 1)) if eps.ndim else eps) - spent, 0.0)
        use = xp.take_along_axis(xp.minimum(room, left), xp.argsort(order, axis=1), axis=1)
        return xp.clip(x0 + self._fit(xp.sign(g) * xp.reshape(use, g.shape), eps), low, high)

    def sample(self, x: Array, eps: Array, rng: Rng) -> Array:
        """Exponential spacings of the simplex with one to spare, random signs: uniform in the ball."""
        xp = self.xp
        shares = self._free(-xp.log(xp.astype(rng.uniform(x.shape), x.dtype) + 2.0**-25))
        spare = -xp.log(xp.astype(rng.uniform((x.shape[0],)), x.dtype) + 2.0**-25)
        signs = xp.where(rng.uniform(x.shape) < 0.5, xp.full_like(x, -1.0), xp.ones_like(x))
        return signs * shares / wide(xp, row_sum(xp, shares) + spare, x.ndim) * eps

    def _shrink(self, reach: Array, room: Array, eps: Array) -> Array:
        """theta >= 0, (N, 1, .., 1), with Σ min(max(reach - theta, 0), room) = eps; 0 where theta = 0 is already short.

        That sum falls along straight lines between the 2 D breakpoints `reach` and `reach - room`: sort them, walk
        down from the largest with slopes and lengths accumulated, and interpolate where eps is crossed. One more
        straight step with sums taken afresh removes what the accumulation lost in float32.
        """
        xp = self.xp
        rank = reach.ndim
        reach, room = flat(xp, reach), flat(xp, room)
        room = xp.minimum(room, reach)
        eps = xp.broadcast_to(xp.reshape(eps, (-1, 1)) if eps.ndim else eps, (reach.shape[0], 1))
        starts = xp.concat([reach, reach - room], axis=1)
        slopes = xp.concat([xp.ones_like(reach), xp.full_like(reach, -1.0)], axis=1)
        order = xp.argsort(starts, axis=1, descending=True, stable=True)
        points = xp.take_along_axis(starts, order, axis=1)
        slope = xp.cumulative_sum(xp.take_along_axis(slopes, order, axis=1), axis=1)  # below point j
        drop = xp.concat([points[:, :-1] - points[:, 1:], points[:, -1:]], axis=1)
        value = xp.cumulative_sum(slope * drop, axis=1)  # the sum at the next point
        reached = value >= eps
        first = xp.expand_dims(xp.astype(xp.argmax(xp.astype(reached, xp.int32), axis=1), xp.int32), axis=1)
        at = xp.take_along_axis
        over = at(value, first, axis=1) - eps
        here = xp.maximum(at(slope, first, axis=1), 1.0)
        theta = at(points, first, axis=1) - at(drop, first, axis=1) + over / here
        theta = xp.where(xp.any(reached, axis=1, keepdims=True), theta, xp.zeros_like(theta))
        for _ in range(2):
            kept = xp.minimum(xp.maximum(reach - theta, 0.0), room)
            falls = xp.astype((reach > theta) & (reach - theta < room), reach.dtype)
            wrong = xp.sum(kept, axis=1, keepdims=True) - eps
            count = xp.sum(falls, axis=1, keepdims=True)
            theta = xp.where(count > 0, xp.maximum(theta + wrong / xp.maximum(count, 1.0), 0.0), theta)
        short = xp.sum(room, axis=1, keepdims=True) <= eps
        theta = xp.where(short, xp.zeros_like(theta), theta)
        return wide(xp, xp.squeeze(theta, axis=1), rank)

    def _fit(self, d: Array, eps: Array) -> Array:
        """Remove the last rounding beyond eps by scaling towards zero: stays in every box around zero."""
        xp = self.xp
        size = wide(xp, self.size(d), d.ndim)
        return d * xp.minimum(eps / xp.where(size > 0, size, xp.ones_like(size)), 1.0)


class L0(_Bound):
    """The number of changed elements. eps is a count."""

    name: ClassVar[str] = "l0"

    def size(self, d: Array) -> Array:
        return row_sum(self.xp, self.xp.astype(d != 0, d.dtype))

    def project(self, d: Array, eps: Array) -> Array:
        d = self._free(d)
        return self._keep(d, self.xp.abs(d), eps)

    def inside(self, x0: Array, x: Array, eps: Array) -> Array:
        xp, (low, high) = self.xp, self.bounds
        v = self._free(x - x0)
        d = xp.clip(x0 + v, low, high) - x0
        gain = xp.square(v) - xp.square(v - d)  # what keeping this element brings us nearer
        return xp.clip(x0 + self._keep(d, gain, eps), low, high)

    def steepest(self, g: Array, x: Array | None = None) -> Array:
        return L1(self.xp, self.bounds, self.mask).steepest(g, x)

    def extreme(self, x0: Array, g: Array, eps: Array) -> Array:
        xp = self.xp
        d = xp.sign(g) * self._room(x0, g)
        return xp.clip(x0 + self._keep(d, xp.abs(g) * xp.abs(d), eps), *self.bounds)

    def sample(self, x: Array, eps: Array, rng: Rng) -> Array:
        """A uniform choice of elements, each moved to a uniform value of the bounds."""
        xp, (low, high) = self.xp, self.bounds
        to = xp.astype(rng.uniform(x.shape, low, high), x.dtype)
        return self._keep(self._free(to - x), self._free(xp.astype(rng.uniform(x.shape), x.dtype) + 1.0), eps)

    def _keep(self, d: Array, worth: Array, eps: Array) -> Array:
        xp = self.xp
        order = xp.argsort(flat(xp, worth), axis=1, descending=True, stable=True)
        rank = xp.reshape(xp.astype(xp.argsort(order, axis=1), d.dtype), d.shape)
        return xp.where((rank < xp.floor(eps)) & (worth > 0), d, xp.zeros_like(d))


NORMS: dict[str, Callable[..., Norm]] = {"linf": Linf, "l2": L2, "l1": L1, "l0": L0}


def bind(
    name: str,
    xp: Any,
    bounds: tuple[float, float],
    mask: Array | None = None,
    settled: Callable[[Array], bool] | None = None,
) -> Norm:
    """The norm of this name over `xp`. settled: `lambda moving: not any(moving)` where tensors may be looked at.

    Raises ConfigError for any other name.
    """
    if name not in NORMS:
        raise ConfigError(f"norm {name!r} is not known. Choose one of: {', '.join(NORMS)}.")
    return NORMS[name](xp, bounds, mask, settled)
