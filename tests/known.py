"""Models whose robustness is known exactly, written once over `xp` and wrapped for each backend."""

from types import SimpleNamespace

import numpy as np
import pytest

import armour_core as armour


class Referee:
    """Counts rows at the model, independently of armour's books."""

    def __init__(self):
        self.rows = 0


def linear(backend, weights, bias=None, *, bounds=(-10.0, 10.0), referee=None, **options):
    """Logits x @ weights + bias over flattened x."""
    xp = backend.xp
    w = backend.asarray(np.asarray(weights, dtype=np.float32))
    b = backend.asarray(np.zeros(w.shape[1], np.float32) if bias is None else np.asarray(bias, dtype=np.float32))

    def net(x):
        if referee is not None:
            referee.rows += int(x.shape[0])
        return xp.matmul(xp.astype(xp.reshape(x, (-1, w.shape[0])), xp.float32), w) + b

    return armour.wrap(net, bounds=bounds, backend=backend.name, **options)


def two_class(backend, n=48, d=10, seed=0, **options):
    """Logits (w·x, -w·x): the distance to the boundary is |w·x| over the dual norm of w."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(d).astype(np.float32)
    x = (0.3 * rng.standard_normal((n, d))).astype(np.float32)
    score = x.astype(np.float64) @ w.astype(np.float64)
    duals = {"linf": 1, "l2": 2, "l1": np.inf}
    distance = {norm: np.abs(score) / np.linalg.norm(w.astype(np.float64), q) for norm, q in duals.items()}
    model = linear(backend, np.stack([w, -w], axis=1), **options)
    return SimpleNamespace(model=model, x=x, y=(score < 0).astype(np.int64), distance=distance, w=w)


def many_class(backend, n=40, d=8, classes=5, seed=1, **options):
    """Several classes: the least over the others of margin over dual norm of the difference of weights."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((d, classes)).astype(np.float32)
    x = rng.standard_normal((n, d)).astype(np.float32)
    z = x.astype(np.float64) @ w.astype(np.float64)
    y = z.argmax(1)
    distance = {}
    for norm, q in {"linf": 1, "l2": 2, "l1": np.inf}.items():
        gaps = z[np.arange(n), y][:, None] - z
        duals = np.linalg.norm(w.T[y][:, None, :].astype(np.float64) - w.T[None].astype(np.float64), q, axis=2)
        distance[norm] = np.where(duals > 0, gaps / np.where(duals > 0, duals, 1), np.inf).min(1)
    return SimpleNamespace(model=linear(backend, w, **options), x=x, y=y, distance=distance, w=w)


@pytest.fixture(params=["numpy", "torch", "tensorflow"])
def engine(request):
    """Each backend a model can be wrapped for, and what is built on it."""
    module = pytest.importorskip(f"armour_backends.{request.param}.backend", exc_type=ImportError)
    backend = module.backend_for("cpu")
    return SimpleNamespace(
        backend=backend,
        name=request.param,
        autodiff="autodiff" in backend.capabilities,
        linear=lambda *a, **k: linear(backend, *a, **k),
        two_class=lambda **k: two_class(backend, **k),
        many_class=lambda **k: many_class(backend, **k),
        labels=lambda weights: linear(backend, weights, outputs="labels"),
        Referee=Referee,
    )


@pytest.fixture
def gradients(engine):
    """The same, for backends that differentiate."""
    if not engine.autodiff:
        pytest.skip(f"{engine.name} has no gradients")
    return engine
