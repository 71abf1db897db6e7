"""Windows and patterns on the image plane, whatever the layout; a vector is a plane of height 1.

Everything is a comparison of row and column numbers that broadcast against x, so that compiled code keeps its shapes
while the side of a window changes from step to step.
"""

import itertools
import math


class Plane:
    """The spatial axes of a batch: numbers of rows and columns as tensors that broadcast against x."""

    def __init__(self, p):
        self.p, self.xp = p, p.xp
        shape, rank = p.x.shape, p.x.ndim
        channel = p.model.channel_axis
        channel = channel % rank if channel is not None and rank == 4 else None
        space = [axis for axis in range(1, rank) if axis != channel]
        self.channels = shape[channel] if channel is not None else 1
        if len(space) == 2:
            self.rows_axis, self.columns_axis = space
            self.height, self.width = shape[space[0]], shape[space[1]]
            self.rows, self.columns = self._numbers(space[0]), self._numbers(space[1])
            self.space = tuple(space)
        else:  # no plane: all elements of a sample in a row
            self.rows_axis, self.columns_axis = None, None
            self.height, self.width = 1, math.prod(shape[1:])
            self.columns = p.xp.reshape(p.xp.arange(self.width, dtype=p.xp.int32), (1, *shape[1:]))
            self.rows = p.xp.zeros_like(self.columns)
            self.space = tuple(range(1, rank))

    def _numbers(self, axis):
        shape = [1] * self.p.x.ndim
        shape[axis] = self.p.x.shape[axis]
        return self.xp.reshape(self.xp.arange(shape[axis], dtype=self.xp.int32), tuple(shape))

    def signs(self, rng, height=None, width=None):
        """Random +1 and -1, like x, or one along the height, or one for all of the plane."""
        shape = list(self.p.x.shape)
        if self.rows_axis is not None and height == 1:
            shape[self.rows_axis] = 1
        if width == 1:
            for axis in self.space:
                shape[axis] = 1
        return self.sign(rng, tuple(shape))

    def sum(self, v):
        """Per sample and channel, with the plane's axes kept as 1."""
        return self.xp.sum(v, axis=self.space, keepdims=True)

    def positive(self, v):
        """`v`, or 1 where it is not above 0: a divisor."""
        return self.xp.where(v > 0, v, self.xp.ones_like(v))

    def pattern(self, rows, columns, side, turned):
        """The bump of a window of this odd side: two halves of opposite sign, each highest at its middle.

        rows, columns: int32 places within the window; side: float; turned: bool, whether rows and columns change roles.
        Source: arXiv:1912.00049, equation 2, with the sum of inverse squares in closed form.
        """
        xp = self.xp
        i, j = xp.astype(rows, xp.float32), xp.astype(columns, xp.float32)
        if self.height > 1:
            i, j = xp.where(turned, j, i), xp.where(turned, i, j)
        half = xp.floor(side / 2)
        left = j < half
        middle = xp.where(left, xp.floor(half / 2), half + xp.floor((side - half) / 2))
        across = xp.abs(j - middle)
        far = xp.maximum(across, xp.abs(i - half)) if self.height > 1 else across
        longest = max(self.height, self.width) + 2
        sums = [*itertools.accumulate((1.0 / j**2 for j in range(1, longest + 1)), initial=0.0)]
        table = self.p.backend.asarray(sums, "float32")
        far = xp.minimum(far, half)
        value = self._look_up(table, half + 1.0) - self._look_up(table, far)
        return xp.astype(xp.where(left, value, -value), self.p.x.dtype)

    def _look_up(self, table, at):
        index = self.xp.astype(self.xp.reshape(at, (-1,)), self.xp.int32)
        return self.xp.reshape(self.xp.take(table, index, axis=0), at.shape)

    def sign(self, rng, shape):
        draw = rng.uniform(shape)
        return self.xp.astype(self.xp.where(draw < 0.5, self.xp.full_like(draw, -1.0), 1.0), self.p.x.dtype)


class Window:
    """A square of this side at a place of its own in each sample."""

    def __init__(self, plane, rng, side):
        p, xp, n = plane.p, plane.xp, plane.p.x.shape[0]
        whole = xp.astype(side, xp.int32)
        self.side = side
        top = rng.integers((n,), xp.maximum(plane.height - whole + 1, xp.ones_like(whole)))
        left = rng.integers((n,), xp.maximum(plane.width - whole + 1, xp.ones_like(whole)))
        self.rows, self.columns = plane.rows - p.wide(top), plane.columns - p.wide(left)
        tall = (self.rows >= 0) & (self.rows < whole) if plane.height > 1 else self.rows == self.rows
        self.mask = tall & (self.columns >= 0) & (self.columns < whole)


def tiles(plane, rng):
    """About five by five bumps over the whole plane, each with a sign of its own in each sample and channel."""
    xp, p = plane.xp, plane.p
    shorter = min(plane.height, plane.width) if plane.height > 1 else plane.width
    side = max(3, math.ceil(shorter / 5))
    side = side + (side + 1) % 2
    turned = p.wide(rng.uniform((p.x.shape[0],)) < 0.5)
    size = xp.zeros((), dtype=xp.float32) + float(side)
    bumps = plane.pattern(xp.remainder(plane.rows, side), xp.remainder(plane.columns, side), size, turned)
    if plane.rows_axis is None:
        count = math.ceil(plane.width / side)
        signs = plane.sign(rng, (p.x.shape[0], count))
        spread = xp.take(signs, xp.reshape(plane.columns // side, (-1,)), axis=1)
        return bumps * xp.reshape(spread, p.x.shape)
    shape = [*p.x.shape]
    shape[plane.rows_axis], shape[plane.columns_axis] = math.ceil(plane.height / side), math.ceil(plane.width / side)
    signs = plane.sign(rng, tuple(shape))
    signs = xp.take(signs, xp.reshape(plane.rows, (-1,)) // side, axis=plane.rows_axis)
    return bumps * xp.take(signs, xp.reshape(plane.columns, (-1,)) // side, axis=plane.columns_axis)
