"""Handwritten digits of 28 x 28: MNIST where a copy lies beside the checkout, else scikit-learn's digits, enlarged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import frozen

_MNIST = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"


@frozen(eq=False)
class Digits:
    """Images float32 (N, 28, 28) in [0, 1] and labels int64 (N,)."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def digits(train: int, path: Path = _MNIST) -> Digits:
    """The first `train` images to train on, and a thousand others."""
    if path.is_file():
        with np.load(path) as file:
            x, y, z, t = (file[key] for key in ("x_train", "y_train", "x_test", "y_test"))
        return Digits("MNIST", _unit(x[:train], 255), _int(y[:train]), _unit(z[:1000], 255), _int(t[:1000]))
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    x, y = _enlarged(found.images[order]), _int(found.target[order])
    return Digits("scikit-learn digits, enlarged", x[:-600][:train], y[:-600][:train], x[-600:], y[-600:])


def _enlarged(images: np.ndarray) -> np.ndarray:
    """8 x 8 -> 24 x 24 with a margin of two."""
    return np.pad(np.kron(_unit(images, 16), np.ones((1, 3, 3), np.float32)), ((0, 0), (2, 2), (2, 2)))


def _unit(x: np.ndarray, top: int) -> np.ndarray:
    return x.astype(np.float32) / np.float32(top)


def _int(y: np.ndarray) -> np.ndarray:
    return y.astype(np.int64)
