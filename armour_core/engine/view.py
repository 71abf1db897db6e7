"""A problem as an attack sees it within one step: geometry, asking, and the books that every asking writes.

A view is made anew for each trace or step over the tensors of the rows of now; nothing of it outlives the step.
`armour_core.protocols.attack.Problem` says what it promises to an attack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from armour_core import norms
from armour_core.engine.books import Books
from armour_core.engine.losses import named_loss, training_loss
from armour_core.engine.problem import Frame
from armour_core.engine.send import Send
from armour_core.errors import ContractError, MissingCapability
from armour_core.functional import as_logits, wide
from armour_core.goals import KINDS, Goal, graded
from armour_core.protocols.backend import Array
from armour_core.protocols.model import Model


class View:
    """The rows of now."""

    def __init__(
        self,
        frame: Frame,
        model: Model,
        send: Send,
        rows: Mapping[str, Array],
        shared: Mapping[str, Array],
        books: Books,
        losses: Callable[[str], Any] = named_loss,
    ):
        self.backend = model.backend
        self.xp: Any = model.backend.xp
        self.model = model
        self.bounds = frame.bounds
        self.until = frame.until
        self.x: Array = rows["x"]
        self.clean: Array = rows.get("clean")
        self.index: Array = rows["index"]
        self.mask: Array = rows.get("mask", shared.get("mask"))
        self.constraints = frame.constraints
        self.eps: Array = rows.get("eps", shared.get("eps"))
        self.enough: Array = rows.get("enough")
        seen = not self.backend.static_shapes and self.backend.device == "cpu"  # looking costs nothing there
        self.norm = norms.bind(frame.norm, self.xp, frame.bounds, self.mask, self._settled if seen else None)
        self.goal: Goal = KINDS[frame.goal](rows["labels"], self.xp)
        self.books = books
        self._frame, self._send, self._loss = frame, send, losses
        self._corridor = (rows["low"], rows["high"]) if "low" in rows else None
        self._views: tuple[Callable[[Array], Array], ...] = ()
        self._own = True  # outputs are the model's own: they may count as successes

    @property
    def live(self) -> Array:
        """bool (N,): rows still asked for."""
        return self.books.live

    @property
    def left(self) -> Array | None:
        """int32 (N,): queries left, or None."""
        return self.books.entries.get("left")

    budget = left  #: the name under which whole-run attacks read it

    # ---- shape
    def wide(self, v: Array) -> Array:
        """(N,) -> (N, 1, .., 1)."""
        return wide(self.xp, v, self.x.ndim)

    def where(self, rows: Array, a: Any, b: Any) -> Any:
        """Whole rows by bool (N,), for tensors of any rank and for whole states."""
        if isinstance(a, Mapping):
            return {key: self.backend.select(rows, a[key], b[key]) for key in a}
        return self.backend.select(rows, a, b)

    def some(self, rows: Array) -> bool:
        """Any True? A hint to end a Python loop early; in compiled code always True."""
        return bool(self.xp.any(rows & self.live)) if self._send.exact else True

    # ---- geometry
    def inside(self, x: Array) -> Array:
        """Nearest legal point: ball (if eps) and bounds at once, then constraints and mask."""
        if self._corridor is not None:
            x = self.xp.clip(x, *self._corridor)
        else:
            x = self.xp.clip(x, *self.bounds) if self.eps is None else self.norm.inside(self.x, x, self.eps)
        for constraint in self.constraints:
            x = constraint(x, self.x)
        return x if self.mask is None else self.xp.where(self.mask, x, self.x)

    def distance(self, x: Array) -> Array:
        """(N,), in the attack's norm, from the clean rows."""
        return self.norm.size(x - self.x)

    # ---- asking
    def query(self, x: Array, where: Array | None = None, keep: bool = True) -> Array:
        """Outputs for (N, ...) or (N, R, ...): (N[, R], C), or (N[, R]) from a model of labels. Books what is sent."""
        return self._ask(x, where, keep)[0]

    def _ask(self, x: Array, where: Array | None, keep: bool) -> tuple[Array, Array | None]:
        """Outputs, and their margin where it was needed to judge them."""
        xp = self.xp
        points, per = self._points(x)
        seen, draws = self._behind(points)
        sent = self.books.afford(where, per, draws)
        asked = xp.reshape(sent, (-1,)) if per else sent
        outputs, computed = self._send(seen, asked if draws == 1 else xp.repeat(asked, draws))
        self._count(sent, per, draws, computed)
        if outputs is None:  # nothing was sent
            clean = self.clean if not per else xp.expand_dims(self.clean, axis=1)
            return xp.broadcast_to(clean, sent.shape + self.clean.shape[1:]), None
        outputs = self._mean(outputs, draws)
        if per:
            outputs = xp.reshape(outputs, (sent.shape[0], per, *outputs.shape[1:]))
        if where is not None or self.left is not None or self._send.exact:
            clean = xp.expand_dims(self.clean, axis=1) if per else self.clean
            outputs = xp.where(xp.reshape(sent, sent.shape + (1,) * (outputs.ndim - sent.ndim)), outputs, clean)
        return outputs, self._judge(points, outputs, sent) if keep and self._own else None

    def margin(self, x: Array, where: Array | None = None, keep: bool = True) -> Array:
        """(N[, R]) > 0 exactly where the goal is met. Needs scores."""
        if self._frame.hard:
            raise MissingCapability(
                "the attack asks for scores, and this model tells only labels: "
                "choose a label-only attack, such as hopskipjump."
            )
        return self._margin(x, where, keep)

    def success(self, x: Array, where: Array | None = None, keep: bool = True) -> Array:
        """bool (N[, R]): whether the goal is met. All that a label-only attack asks."""
        return self._margin(x, where, keep) > 0

    def _margin(self, x: Array, where: Array | None, keep: bool) -> Array:
        outputs, margin = self._ask(x, where, keep)
        return self._over_points(outputs) if margin is None else margin

    def grad(
        self,
        x: Array,
        loss: str | Callable[[Array], Array] = "ce",
        via: Callable[[Array], Array] | None = None,
        keep: bool = True,
    ) -> tuple[Array, Array]:
        """Per-row loss (N,), to be climbed, and its gradient in x (or in z, for the model at `via(z)`).

        loss: a registered name, or a function of the outputs as logits (N, C).
        """
        xp = self.xp
        self._need_autodiff()
        climb = loss if callable(loss) else self._named(loss)
        draws = 1

        def total(z: Array) -> tuple[Array, Any]:
            nonlocal draws
            point = z if via is None else via(z)
            seen, draws = self._behind(point)
            outputs = self.model.forward(seen)
            logits = self._logits(outputs)
            if draws == 1:
                values = climb(logits)
            else:
                logits = xp.reshape(logits, (-1, draws, logits.shape[-1]))
                values = xp.mean(xp.stack([climb(logits[:, r, :]) for r in range(draws)], axis=1), axis=1)
            return xp.sum(values), (values, outputs, point)

        (_, (values, outputs, point)), gradient = self.backend.value_and_grad(total)(x)
        sent = self.books.afford(None, 0, draws)
        self._count(sent, 0, draws, 1, backward=1)
        if keep and self._own:
            self._judge(point, self._mean(outputs, draws), sent)
        return values, gradient

    def jacobian(self, x: Array, classes: Array | None = None, keep: bool = True) -> tuple[Array, Array]:
        """Outputs as logits (N, C), and rows of their Jacobian (N, K, ...) for `classes` int (N, K); None: all."""
        xp = self.xp
        self._need_autodiff()
        raw: list[Array] = []

        def logits(z: Array) -> Array:
            seen, draws = self._behind(z)
            outputs = self._mean(self.model.forward(seen), draws)
            raw.append(self.backend.stop_gradient(outputs))
            return self._logits(outputs)

        outputs, pull = self.backend.vjp(logits, x)
        n, width = outputs.shape
        if classes is None:
            classes = xp.broadcast_to(xp.arange(width, dtype=xp.int32), (n, width))
        hot = xp.astype(xp.expand_dims(classes, axis=-1) == xp.arange(width, dtype=classes.dtype), outputs.dtype)
        rows = xp.stack([pull(hot[:, c, :]) for c in range(classes.shape[1])], axis=1)
        sent = self.books.afford(None, 0, 1)
        self._count(sent, 0, 1, 1, backward=classes.shape[1])
        if keep and self._own:
            self._judge(x, raw[0], sent)
        return outputs, rows

    def through(self, view: Callable[[Array], Array], exact: bool = False) -> View:
        """The same problem and books with the model behind `view`: x -> (N, ...) or (N, R, ...); R draws are averaged.

        exact: outputs behind the view are the model's own, so they may count as successes.
        """
        behind = View.__new__(View)
        behind.__dict__.update(self.__dict__, _views=(view, *self._views), _own=self._own and exact)
        return behind

    # ---- within
    def _settled(self, moving: Array) -> bool:
        return not bool(self.xp.any(moving))

    def _behind(self, points: Array) -> tuple[Array, int]:
        """Points as the model sees them, and how many of them there are for each: (M, ...) -> (M draws, ...)."""
        rank, draws = self.x.ndim, 1
        for view in self._views:
            points = view(points)
            if points.ndim == rank + 1:
                draws *= points.shape[1]
                points = self.xp.reshape(points, (points.shape[0] * points.shape[1], *points.shape[2:]))
        return points, draws

    def _points(self, x: Array) -> tuple[Array, int]:
        """(N, R, ...) as (N R, ...), and R; R is 0 for (N, ...)."""
        n, rank = self.x.shape[0], self.x.ndim
        known = bool(self._views) or tuple(x.shape[x.ndim - rank + 1 :]) == tuple(self.x.shape[1:])
        if x.ndim == rank and x.shape[0] == n and known:
            return x, 0
        if x.ndim == rank + 1 and x.shape[0] == n and known:
            return self.xp.reshape(x, (n * x.shape[1], *x.shape[2:])), x.shape[1]
        raise ContractError(
            f"asked about points of shape {tuple(x.shape)} where the batch is {tuple(self.x.shape)}: "
            "give (N, ...), or (N, R, ...) for R points a sample."
        )

    def _mean(self, outputs: Array, draws: int) -> Array:
        if draws == 1:
            return outputs
        if self._frame.hard:
            raise MissingCapability(
                "a view that draws several inputs for each needs a model of scores: labels cannot be averaged."
            )
        return self.xp.mean(self.xp.reshape(outputs, (-1, draws, outputs.shape[-1])), axis=1)

    def _logits(self, outputs: Array) -> Array:
        return None if outputs is None else as_logits(self.xp, outputs, self._frame.outputs)

    def _over_points(self, outputs: Array) -> Array:
        """A goal's margin for (N, C) or (N, R, C)."""
        if outputs.ndim == (1 if self._frame.hard else 2):
            return graded(self.goal, outputs, self._frame.outputs)
        n, per = outputs.shape[:2]
        flat = self.xp.reshape(outputs, (n * per, *outputs.shape[2:]))
        return self.xp.reshape(graded(self._goal(per), flat, self._frame.outputs), (n, per))

    def _goal(self, per: int) -> Goal:
        """The goal, each row of it `per` times."""
        return self.goal if per == 1 else type(self.goal)(self.xp.repeat(self.goal.labels, per), self.xp)

    def _named(self, loss: str) -> Callable[[Array], Array]:
        rule, clean = self._loss(loss), self._logits(self.clean)
        return lambda logits: rule(logits, self.goal, backend=self.backend, clean=clean)

    def _count(self, sent: Array, per: int, cost: int, computed: Array | int, backward: int = 0) -> None:
        rows = computed
        if not isinstance(computed, int):
            rows = self.xp.astype(self.xp.sum(self.xp.reshape(computed, (sent.shape[0], -1)), axis=1), self.xp.int32)
        elif computed:
            rows = max(per, 1) * cost
        self.books.count(sent, per, cost, rows, backward)

    def _judge(self, points: Array, outputs: Array, sent: Array) -> Array:
        """Offer a candidate a row to the books. Returns the margin of all."""
        margin = self._over_points(outputs)
        merit, hit = margin, margin > 0
        if self.until == "max_loss" and not self._frame.hard:
            flat = self.xp.reshape(outputs, (-1, outputs.shape[-1]))
            goal = self._goal(margin.shape[1] if margin.ndim == 2 else 1)
            merit = self.xp.reshape(training_loss(self.backend, flat, self._frame.outputs, goal), margin.shape)
        if sent.ndim == 2:
            points, merit, hit, sent = self.books.best_of(points, merit, hit, sent, self.norm, self.x)
        self.books.keep(points, self.xp.astype(merit, self.x.dtype), hit, sent, self.norm, self.x, self.enough)
        return margin

    def _need_autodiff(self) -> None:
        if "autodiff" not in self.model.capabilities:
            raise MissingCapability(
                f"the attack asks for gradients, and model {self.model.name!r} has none "
                f"(it offers: {', '.join(sorted(self.model.capabilities)) or 'nothing'}). "
                "Choose a score-based attack such as square, "
                "or a label-only one such as hopskipjump."
            )
