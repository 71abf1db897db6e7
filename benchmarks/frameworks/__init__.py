"""The same small network in each framework, trained for seconds, and the rows that it gets right."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from attrs import evolve, frozen


@frozen(kw_only=True, eq=False)
class Side:
    """All that a race needs of one framework."""

    name: str
    device: str  #: as armour names it
    net: Any  #: the plain network, in evaluation mode
    x: Any  #: native float32, in the framework's layout, in [0, 1]; rows that the network gets right
    y: Any  #: native integers (N,)
    images: np.ndarray  #: x on the host
    labels: np.ndarray  #: y on the host, int64
    about: str  #: network, data and accuracy, in words
    predict: Callable[[Any], np.ndarray]  #: native x -> labels, by the plain network
    to_numpy: Callable[[Any], np.ndarray]
    native: Callable[[np.ndarray], Any]  #: an array on this side's device
    loops: ModuleType  #: the loops one would write by hand
    counted: Callable[[Callable[[], Any]], int] | None = None  #: rows that the network computes in a call
    synchronize: Callable[[], None] | None = None

    def first(self, n: int) -> Side:
        """The same with the first n rows."""
        return evolve(self, x=self.x[:n], y=self.y[:n], images=self.images[:n], labels=self.labels[:n])

    def robust_accuracy(self, adversarial: Any) -> float:
        """The share of rows that the plain network still gets right, native or on the host."""
        return float((self._predicted(adversarial) == self.labels).mean())

    def median_distance(self, adversarial: Any) -> float:
        """The median L2 length of the perturbations; a row still got right counts as infinite."""
        change = self._host(adversarial) - self.images
        length = np.sqrt((change.reshape(len(change), -1).astype(np.float64) ** 2).sum(axis=1))
        return float(np.median(np.where(self._predicted(adversarial) == self.labels, np.inf, length)))

    def _predicted(self, adversarial: Any) -> np.ndarray:
        return self.predict(self.native(self._host(adversarial)))

    def _host(self, x: Any) -> np.ndarray:
        return np.asarray(x if isinstance(x, np.ndarray) else self.to_numpy(x), np.float32)
