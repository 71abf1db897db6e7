"""What an attack promises, and what it is given to work with.

An attack is a frozen configuration with three pure functions over a state, or one function `run`. Batching, chunks of
steps, survivors, the best iterate, counts, budgets and deadlines are the engine's. A third form, `stages`, names other
attacks that run one after the other over what is left of the data set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

from armour_core.goals import Goal
from armour_core.norms import Norm
from armour_core.protocols.backend import Array, Backend
from armour_core.protocols.model import Model
from armour_core.rng import Rng

State = dict[str, Array]
"""What an attack carries from step to step. Flat; each entry's first axis is the sample; keys, shapes and dtypes are
those that `start` fixed. What all rows share is a field of the attack, or `k`, or a row repeated N times.
`state["done"]`, bool (N,), is reserved: such a row rests until the next round. Rows that succeed leave for good; the
attack need not notice."""

Int = Any  # a 0-d int32 tensor; a Python int for an attack that is not traceable


class Attack(Protocol):
    """An attack with steps. Every method is pure; the model is reached through `p`, never held.

    Optional: `minimum: bool = False` (looks for the smallest perturbation; `p.eps` is None), `rounds: int = 1`
    (restarts, search rounds, target classes), `traceable: bool = True` (False: `step` uses Python on `k` or `p.some()`,
    and is never compiled), and `again(p, state, r, rng) -> State`, which opens round r >= 1 from the state in which the
    round before ended (default: `start`, a restart).
    """

    @property
    def norm(self) -> str:
        """The norm of its perturbations: "linf", "l2", "l1" or "l0"."""

    @property
    def steps(self) -> int:
        """Steps of one round; the engine counts them."""

    def start(self, p: Problem, rng: Rng) -> State:
        """The state before the first step."""

    def step(self, p: Problem, state: State, k: Int, rng: Rng) -> State:
        """The next state. k counts from 0 in each round."""

    def finish(self, p: Problem, state: State) -> Array:
        """The attack's own proposal, like x, for a row without a recorded success.

        Asks nothing; may be called at any time.
        """


@runtime_checkable
class RunAttack(Protocol):
    """An attack without the shape of steps: a universal perturbation, a patch, another library's optimiser."""

    @property
    def norm(self) -> str:
        """The norm of its perturbations."""

    def run(self, problem: Problem, rng: Rng) -> Array:
        """Adversarial inputs, like `problem.x`."""


@runtime_checkable
class CompositeAttack(Protocol):
    """Several attacks in a row, such as AutoAttack. The engine runs each over what is left of the data set."""

    @property
    def norm(self) -> str:
        """The norm of its perturbations."""

    def stages(self, norm: str) -> Sequence[Attack | RunAttack]:
        """The attacks, configured, in order."""


class Problem(Protocol):
    """What an attack sees: the rows of now. A new object for every trace or step; never keep it."""

    @property
    def backend(self) -> Backend:
        """Where the tensors live."""

    @property
    def xp(self) -> ModuleType:
        """`backend.xp`: the functions over these tensors."""

    @property
    def model(self) -> Model:
        """For layout and capabilities. Ask through `query`, `grad` and the others, or nothing is counted."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest value of an input."""

    @property
    def x(self) -> Array:
        """The clean rows, (N, ...)."""

    @property
    def clean(self) -> Array:
        """The engine's first prediction, (N, C) or labels (N,), already paid for: rank targets from it."""

    @property
    def goal(self) -> Goal:
        """`kind` (static), `labels` int32 (N,), `margin(outputs) -> (N,)`."""

    @property
    def norm(self) -> Norm:
        """Bound to xp, bounds and mask: `size`, `project`, `steepest`, `sample`."""

    @property
    def eps(self) -> Array | None:
        """0-d when it is one number, (N,1,..,1) when it is per row; always None for a minimum-norm attack."""

    @property
    def enough(self) -> Array | None:
        """(N,): a success this near ends the row. For minimum-norm attacks: one run serves a whole sweep."""

    @property
    def index(self) -> Array:
        """int32 (N,): place in the data set."""

    @property
    def live(self) -> Array:
        """bool (N,): still asked for."""

    @property
    def left(self) -> Array | None:
        """int32 (N,): queries left, or None for no limit."""

    @property
    def until(self) -> str:
        """ "success", or "max_loss" for adversarial training and transfer."""

    # ---- shape

    def wide(self, v: Array) -> Array:
        """(N,) -> (N,1,..,1), to broadcast against x."""

    def where(self, rows: Array, a: Any, b: Any) -> Any:
        """Whole rows by bool (N,), for tensors of any rank and for whole states."""

    def some(self, rows: Array) -> bool:
        """Any True? A hint to stop a Python loop early. In compiled code always True: never change a result by it."""

    # ---- geometry

    def inside(self, x: Array) -> Array:
        """The nearest legal point: ball (if there is an eps), box, constraints, mask, in this order."""

    def distance(self, x: Array) -> Array:
        """(N,): distance from `self.x` in `norm`."""

    # ---- asking. keep=True: what is asked is a candidate, judged on the outputs computed for it

    def query(self, x: Array, where: Array | None = None, keep: bool = True) -> Array:
        """x (N,...) or (N,R,...) -> outputs (N,C) or (N,R,C); every row sent is booked to its sample.

        Sent are the rows that are live, in `where` (bool (N,) or (N,R)) and within budget, the first ones in row order.
        A row that is not sent answers what the clean row answered: finite, right shape, never a success.
        """

    def margin(self, x: Array, where: Array | None = None, keep: bool = True) -> Array:
        """(N[,R]), positive exactly where the goal is met. Needs `scores`."""

    def success(self, x: Array, where: Array | None = None, keep: bool = True) -> Array:
        """bool (N[,R]): all that a label-only attack asks. Needs `labels`."""

    def grad(
        self,
        x: Array,
        loss: str | Callable[[Array], Array] = "ce",
        via: Callable[[Array], Array] | None = None,
        keep: bool = True,
    ) -> tuple[Array, Array]:
        """Per-row loss (N,), to be climbed (for a target: already negated), and its gradient.

        loss: a registered name, or outputs -> (N,). via: differentiate z at model(via(z)): flows, patches, angles.
        Books one forward and one backward per live row.
        """

    def jacobian(self, x: Array, classes: Array | None = None, keep: bool = True) -> tuple[Array, Array]:
        """Outputs (N,C) and rows of the Jacobian (N,K,...).

        classes: int (N,K), None = all. Books 1 forward and K backward per live row.
        """

    def through(self, view: Callable[[Array], Array], exact: bool = False) -> Problem:
        """The same problem and books with the model behind `view`: x -> (N,...) or (N,R,...), losses averaged over R.

        exact: outputs behind the view are the model's own, so that they may count as successes.
        """
