"""What an attack on a data set found, per sample and in sum."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen

from armour_core.errors import ConfigError
from armour_core.intervals import wilson


@frozen(kw_only=True, eq=False)
class Queries:
    """Rows asked of the model on each sample's behalf, int64 (N,)."""

    forward: np.ndarray  #: the first prediction and the last check included
    backward: np.ndarray
    computed: np.ndarray  #: rows computed on top of these, because they shared a batch; not booked


@frozen(kw_only=True, eq=False, repr=False)
class Result:
    """One attack over N samples and K values of eps (K = 1 for a number or None).

    Initially wrong samples are never attacked and never count as successes; `robust_accuracy` counts them as wrong.
    """

    attack: dict[str, Any]  #: id, revision and configuration
    norm: str
    eps: tuple[float, ...] | None  #: as asked; None: the smallest perturbation
    success: np.ndarray  #: bool (K, N)
    distance: np.ndarray  #: float64 (N,): in `norm`; 0 for initially wrong samples, inf where not found
    initially_wrong: np.ndarray  #: bool (N,)
    queries: Queries
    seconds: float
    seed: int
    batch_size: int  #: with the seed, what reproduces the numbers bit for bit
    warnings: tuple[str, ...] = ()
    _kept: Any = field(default=None)

    def x_adv(self, k: int = 0) -> Any:
        """(N, ...) in the caller's framework and dtype: the adversarials at eps k; a failed sample's best try."""
        if self._kept is None:
            raise ConfigError('no adversarials were kept: this run said keep="none".')
        return self._kept(k)

    @property
    def robust_accuracy(self) -> np.ndarray:
        """float64 (K,): the share of all samples that are right and stay right."""
        return np.asarray(self._robust().mean(axis=1))

    @property
    def robust_accuracy_interval(self) -> np.ndarray:
        """float64 (K, 2): its 95 % Wilson interval."""
        n = self.success.shape[1]
        return np.array([wilson(int(k), n) for k in self._robust().sum(axis=1)])

    def _robust(self) -> np.ndarray:
        return np.asarray(~self.success & ~self.initially_wrong)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; adversarials are not in it."""
        return {
            "attack": self.attack,
            "norm": self.norm,
            "eps": None if self.eps is None else list(self.eps),
            "n": int(self.success.shape[1]),
            "clean_accuracy": float(1 - self.initially_wrong.mean()),
            "robust_accuracy": self.robust_accuracy.tolist(),
            "robust_accuracy_interval": self.robust_accuracy_interval.tolist(),
            "success": self.success.tolist(),
            "initially_wrong": self.initially_wrong.tolist(),
            "distance": [None if np.isinf(d) else float(d) for d in self.distance],
            "queries": {"forward": self.queries.forward.tolist(), "backward": self.queries.backward.tolist()},
            "seconds": self.seconds,
            "seed": self.seed,
            "batch_size": self.batch_size,
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        rows = self.success.shape[1]
        lines = [f"Result of {self.attack['id']} ({self.norm}) on {rows} samples, {self.seconds:.2f} s"]
        for k, (accuracy, (low, high)) in enumerate(zip(self.robust_accuracy, self.robust_accuracy_interval)):
            at = "smallest perturbation" if self.eps is None else f"eps {self.eps[k]:.6g}"
            lines.append(f"  {at}: robust accuracy {accuracy:.1%} [{low:.1%}, {high:.1%}]")
        return "\n".join(lines)
