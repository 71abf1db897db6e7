"""What a model promises to algorithms, and what a backend makes of a user's object (`Net`) so that it can."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from armour_core.protocols.backend import Array, Backend

OUTPUTS = ("logits", "probabilities", "scores", "labels", "loss")


class Model(Protocol):
    """What algorithms see. `armour.wrap` makes it; its one implementation is `armour_core.model.WrappedModel`."""

    backend: Backend
    name: str
    bounds: tuple[float, float]  #: of the input as the caller gives it, before preprocessing
    outputs: str  #: one of OUTPUTS
    num_classes: int | None
    channel_axis: int | None  #: of a batch; None for vectors and for 3-D input
    compiled: dict[Any, Any]  #: code compiled for this model, by key; dies with it

    @property
    def dtype(self) -> Any:
        """xp dtype the network computes in."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it: "autodiff", "scores", "labels", and the abilities of ABILITIES."""

    @property
    def local(self) -> bool:
        """Whether its forward is native code that can be traced; False: Python or remote, rows are counted exactly."""

    def __call__(self, x: Any) -> Array:
        """Native or NumPy in, native out, in evaluation mode; takes the lock."""

    def forward(self, x: Array) -> Array:
        """The bare computation, traceable: preprocessing, network, choice of the output. Only within `running()`."""

    def running(self) -> AbstractContextManager[None]:
        """Holds the network's lock and evaluation mode; on exit all flags are as they were. Reentrant and cheap."""

    def admit(self, x: Any, *, what: str = "x") -> Array:
        """Data at the door: rank, emptiness, NaN, bounds (naming normalisation), dtype; returns native x in the model's
        dtype. Raises DataError.
        """

    def examine(self, x: Array, outputs: Array | None = None) -> tuple[str, ...]:
        """Once per input shape, on real rows: fills num_classes and channel_axis, notices probabilities, labels,
        non-finite outputs, buffers that move in evaluation, batch coupling, randomness. outputs: the model's for these
        rows, where they are known: a model that is not local is then asked nothing. Raises DataError;
        returns warnings.
        """


class Net(Protocol):
    """A backend's adapter of one network object: only what differs between frameworks."""

    backend: Backend
    native: Any  #: the user's object
    name: str  #: for people: "Sequential"
    dtype: str  #: "float32": of the first floating parameter, else "float32"
    capabilities: frozenset[str]  #: "scores" | "labels" as far as known; "autodiff"
    local: bool
    outputs: str | None  #: where the object itself says so (scikit-learn), else None
    channel_axis: int | None  #: where its layers say so, else None
    num_classes: int | None  #: where the object itself says so (scikit-learn), else None
    notes: tuple[str, ...]  #: what a reader of results should know of how it was treated

    def forward(self, x: Array) -> Array:
        """The network's call, in the mode it is in. Gradients pass through."""

    def evaluation(self) -> AbstractContextManager[list[str]]:
        """Evaluation mode, restored flag by flag on exit; yields notes such as 'was in training mode'."""

    def buffers(self) -> Mapping[str, np.ndarray]:
        """Host copies of what evaluation must not move: running averages, seed states; and flags."""
