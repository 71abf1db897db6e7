"""Small models with known weights, the same on every backend, and data for them.

They are written over `backend.xp`, so a backend that nobody has seen yet has them too.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import field, frozen

from armour_core.model import WrappedModel
from armour_core.protocols.backend import Array, Backend

_LAYOUTS = {"linear": None, "mlp": None, "nchw": 1, "nhwc": 3}  # each with its channel axis
_IMAGE = (5, 4, 2)  # height, width, channels
_CANDIDATES = 200  # points among which those of many margins are chosen


@frozen
class Setup:
    """A model, data and a threat. Everything else follows from these."""

    shape: str = "nchw"  #: "linear": vectors, 2 classes; "mlp": vectors, 4 classes; "nchw", "nhwc": images, 3 classes
    rows: int = 8
    norm: str = "linf"
    bounds: tuple[float, float] = (-1.0, 2.0)

    def __str__(self) -> str:
        return f"{self.norm}, {self.shape}, {self.rows} row{'s' if self.rows > 1 else ''}"

    @property
    def channel_axis(self) -> int | None:
        """Of a batch; None for vectors."""
        return _LAYOUTS[self.shape]

    @property
    def eps(self) -> float:
        """A size at which some samples give way and others do not."""
        elements, unit = math.prod(self.data.x.shape[1:]), 0.06 * (self.bounds[1] - self.bounds[0])
        sizes = {"linf": unit, "l2": unit * math.sqrt(elements), "l1": unit * elements}
        return sizes.get(self.norm, float(max(1, elements // 4)))

    @property
    def data(self) -> Data:
        """Points of many margins; the last of several rows bears a wrong label."""
        return _data(self.shape, self.rows, self.bounds)

    def model(self, backend: Backend, dtype: str = "float64", *, local: bool = True, gradients: bool = True) -> Any:
        """The reference model, wrapped. A backend with `saw` is told of each row that it computes."""
        net = ReferenceNet(self, backend, dtype, local, gradients)
        return WrappedModel(net, bounds=self.bounds, channel_axis=self.channel_axis, outputs="logits")


@frozen(eq=False)
class Data:
    """Rows with their labels, and a class to reach for each."""

    x: np.ndarray  #: float64 (N, ...)
    y: np.ndarray  #: int64 (N,)
    targets: np.ndarray  #: int64 (N,): the class that is second in the clean prediction
    predicted: np.ndarray = field()  #: int64 (N,)

    @property
    def right(self) -> np.ndarray:
        """Rows that the model gets right."""
        return np.flatnonzero(self.predicted == self.y)


class ReferenceNet:
    """`armour_core.protocols.model.Net`: three small networks over any backend's namespace."""

    num_classes: int | None = None
    outputs: str | None = None
    notes: tuple[str, ...] = ()

    def __init__(self, setup: Setup, backend: Backend, dtype: str, local: bool, gradients: bool) -> None:
        self.backend, self.dtype, self.local = backend, dtype, local
        self.native, self.name = self, f"reference {setup.shape}"
        self.channel_axis = setup.channel_axis
        offers = {"labels", "scores"} | (backend.capabilities & {"autodiff"} if gradients else set())
        self.capabilities = frozenset(offers)
        self.weights = {key: backend.asarray(w, dtype) for key, w in _weights(setup.shape, setup.bounds).items()}
        self._saw = getattr(backend, "saw", None)

    def forward(self, x: Array) -> Array:
        """(N, ...) -> logits (N, C)."""
        if self._saw is not None:
            self._saw(int(x.shape[0]))
        return _forward(self.backend.xp, self.weights, x, self.channel_axis)

    def evaluation(self) -> contextlib.AbstractContextManager[list[str]]:
        """It has no modes."""
        return contextlib.nullcontext([])

    def buffers(self) -> Mapping[str, np.ndarray]:
        """None."""
        return {}

    def state(self) -> Mapping[str, np.ndarray]:
        """Copies of the weights."""
        return {key: np.array(self.backend.to_numpy(w)) for key, w in self.weights.items()}


def _forward(xp: Any, weights: Mapping[str, Any], x: Any, channel_axis: int | None) -> Any:
    z = x - weights["centre"]
    if channel_axis is not None:
        z = xp.moveaxis(z, channel_axis, -1)
        height, width = z.shape[1] - 2, z.shape[2] - 2
        places = [(i, j) for i in range(3) for j in range(3)]
        parts = [xp.matmul(z[:, i : i + height, j : j + width, :], weights[f"conv{i}{j}"]) for i, j in places]
        z = xp.reshape(xp.tanh(functools.reduce(lambda a, b: a + b, parts)), (x.shape[0], -1))
    if "hidden" in weights:
        z = xp.tanh(xp.matmul(z, weights["hidden"]))
    return xp.matmul(z, weights["last"]) + weights["offset"]


@functools.cache
def _weights(shape: str, bounds: tuple[float, float]) -> dict[str, np.ndarray]:
    draw = np.random.RandomState({"linear": 1, "mlp": 2}.get(shape, 3))
    low, high = bounds
    gain = 2.0 / (high - low)
    weights = {"centre": np.asarray((low + high) / 2)}
    if shape == "linear":
        plane = gain * draw.normal(size=(6, 1))
        return weights | {"last": np.concatenate([plane, -plane], axis=1), "offset": np.zeros(2)}
    if shape == "mlp":
        hidden = 1.5 * gain * draw.normal(size=(6, 10)) / math.sqrt(6)
        return weights | {"hidden": hidden, "last": draw.normal(size=(10, 4)), "offset": np.zeros(4)}
    kernels = {f"conv{i}{j}": gain * draw.normal(size=(_IMAGE[2], 4)) / 2 for i in range(3) for j in range(3)}
    inner = (_IMAGE[0] - 2) * (_IMAGE[1] - 2) * 4
    return weights | kernels | {"last": draw.normal(size=(inner, 3)) / math.sqrt(inner), "offset": np.zeros(3)}


@functools.cache
def _data(shape: str, rows: int, bounds: tuple[float, float]) -> Data:
    """Points at evenly spaced ranks of the margin among the less certain: none is a tie, and none is hopeless."""
    low, high = bounds
    size = (6,) if _LAYOUTS[shape] is None else _IMAGE
    x = np.random.RandomState(7).uniform(low, high, size=(_CANDIDATES, *size))
    x = np.moveaxis(x, -1, 1) if shape == "nchw" else x
    x = x.astype(np.float16).astype(np.float64)  # exact in every dtype that is tried
    logits = _forward(np, _weights(shape, bounds), x, _LAYOUTS[shape])
    order = np.argsort(logits, axis=1)
    ranked = np.sort(logits, axis=1)
    certain = np.argsort(ranked[:, -1] - ranked[:, -2])
    chosen = certain[np.linspace(0.04 * _CANDIDATES, 0.5 * _CANDIDATES, rows).astype(int)]
    predicted, second = order[chosen, -1], order[chosen, -2]
    y = predicted.copy()
    if rows > 1:
        y[-1] = second[-1]
    targets = np.where(y == predicted, second, order[chosen, 0])
    targets = np.where(targets == y, predicted, targets)
    x = np.ascontiguousarray(x[chosen])
    x.flags.writeable = False
    return Data(x=x, y=y, targets=targets, predicted=predicted)
