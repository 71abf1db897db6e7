"""Norms against what defines them: slow oracles of projection, linear programs, the laws of uniform samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats

from armour_core import ConfigError, norms

LOW, HIGH = 0.0, 1.0
NAMES = ("linf", "l2", "l1")


def size(name, d):
    d = d.reshape(len(d), -1)
    return {"linf": np.abs(d).max(1), "l2": np.sqrt((d**2).sum(1)), "l1": np.abs(d).sum(1)}[name]


def oracle(name, v, eps, low, high):
    """The nearest point of ball and box, one row, by 200 halvings of the dual variable: slow, obvious, float64."""
    clip = lambda d: np.clip(d, low, high)  # noqa: E731
    if name == "linf":
        return np.clip(v, np.maximum(-eps, low), np.minimum(eps, high))
    if name == "l2":
        shrink, measure = (lambda t: clip(v / (1 + t))), (lambda d: np.sqrt((d**2).sum()))
        top = np.sqrt((v**2).sum()) / eps + 1.0
    else:
        shrink, measure = (lambda t: clip(np.sign(v) * np.maximum(np.abs(v) - t, 0))), (lambda d: np.abs(d).sum())
        top = np.abs(v).max() + 1.0
    if measure(shrink(0.0)) <= eps:
        return shrink(0.0)
    small, large = 0.0, top
    for _ in range(200):
        middle = (small + large) / 2
        small, large = (middle, large) if measure(shrink(middle)) > eps else (small, middle)
    return shrink(large)


VALUES = st.floats(-3, 3, allow_nan=False).map(lambda v: round(v, 3))  # rounding makes ties, which sorting must survive


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(
    x=arrays(np.float64, (3, 7), elements=st.floats(0, 1)),
    to=arrays(np.float64, (3, 7), elements=VALUES),
    eps=st.floats(0.01, 5),
)
def test_inside_is_the_nearest_point_of_ball_and_box_to_1e_6(name, x, to, eps):
    """float64, on the reference namespace."""
    xp = numpy_space()
    found = norms.bind(name, xp, (LOW, HIGH)).inside(x, to, np.float64(eps))
    for row in range(3):
        best = x[row] + oracle(name, to[row] - x[row], eps, LOW - x[row], HIGH - x[row])
        assert_allclose(found[row], best, atol=1e-6)
    assert size(name, found - x).max() <= eps * (1 + 1e-12)
    assert found.min() >= LOW
    assert found.max() <= HIGH


@pytest.mark.parametrize("name", NAMES)
def test_inside_in_float32_is_within_1e_4_of_the_optimum_on_every_backend(backend, name):
    rng = np.random.default_rng(0)
    for scale, shape in ((0.3, (6, 40)), (3.0, (4, 3, 16, 16)), (1e-3, (5, 200))):
        x = rng.uniform(0, 1, shape).astype(np.float32)
        to = (x + scale * rng.standard_normal(shape)).astype(np.float32)
        eps = np.median(size(name, to - x)) * rng.uniform(0.1, 1.2, len(x))
        wide = eps.reshape((-1,) + (1,) * (len(shape) - 1)).astype(np.float32)
        bound = norms.bind(name, backend.xp, (LOW, HIGH))
        found = backend.to_numpy(bound.inside(*(backend.asarray(a) for a in (x, to, wide)))).astype(np.float64)
        for row in range(len(x)):
            v, start = to[row].astype(np.float64) - x[row], x[row].astype(np.float64)
            best = oracle(name, v.ravel(), float(wide[row].flat[0]), LOW - start.ravel(), HIGH - start.ravel())
            optimum = np.linalg.norm(best - v.ravel())
            reached = np.linalg.norm((found[row] - start - v).ravel())
            assert reached <= optimum * (1 + 1e-4) + 1e-6
        assert (size(name, found - x) <= wide.reshape(-1).astype(np.float64) * (1 + 1e-5) + 1e-6).all()


@pytest.mark.parametrize("name", [*NAMES, "l0"])
def test_projection_leaves_what_is_inside_and_moves_nothing_twice(backend, name):
    rng = np.random.default_rng(1)
    d = rng.standard_normal((5, 30)).astype(np.float32)
    eps = np.float32(7 if name == "l0" else 0.7)
    bound = norms.bind(name, backend.xp, (-10.0, 10.0))
    once = bound.project(backend.asarray(d), backend.asarray(eps))
    twice = bound.project(once, backend.asarray(eps))
    assert_allclose(backend.to_numpy(twice), backend.to_numpy(once), atol=1e-6)
    inner = backend.to_numpy(once) * np.float32(0.5)
    assert_allclose(backend.to_numpy(bound.project(backend.asarray(inner), backend.asarray(eps))), inner, atol=1e-7)
    if name == "l0":
        assert_array_equal((backend.to_numpy(once) != 0).sum(1), 7)


def test_l2_projection_scales_the_perturbation_not_its_norm():
    """The defect other libraries shipped: clamping the perturbation, or multiplying by norm / norm."""
    d = np.array([[3.0, 4.0]])
    assert_allclose(norms.bind("l2", numpy_space(), (-9, 9)).project(d, np.float64(1.0)), [[0.6, 0.8]], atol=1e-12)


def test_l1_projection_is_not_rescaling():
    """A dense vector loses its small elements: known answer, worked by hand."""
    d = np.array([[3.0, 1.0, 0.5]])
    assert_allclose(norms.bind("l1", numpy_space(), (-9, 9)).project(d, np.float64(2.0)), [[2.0, 0.0, 0.0]], atol=1e-12)
    assert_allclose(norms.bind("l1", numpy_space(), (-9, 9)).project(d, np.float64(3.0)), [[2.5, 0.5, 0.0]], atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_zero_stays_zero_and_eps_zero_gives_the_clean_point(backend, name):
    x = np.full((2, 6), 0.25, dtype=np.float32)
    bound = norms.bind(name, backend.xp, (LOW, HIGH))
    at = backend.asarray(x)
    for to, eps in ((x, 0.5), (x + 0.3, 0.0)):
        assert_array_equal(backend.to_numpy(bound.inside(at, backend.asarray(to), backend.asarray(np.float32(eps)))), x)
    assert_array_equal(backend.to_numpy(bound.steepest(backend.asarray(0 * x))), 0 * x)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_is_the_maximum_of_a_linear_loss_over_ball_and_box(name):
    """Against scipy: a linear program for Linf and L1, a constrained solver for L2."""
    rng = np.random.default_rng(3)
    for eps in (0.2, 0.9, 2.5, 50.0):
        x, g = rng.uniform(0, 1, (4, 9)), rng.standard_normal((4, 9))
        g[:, 0] = 0.0
        found = norms.bind(name, numpy_space(), (LOW, HIGH)).extreme(x, g, np.float64(eps))
        assert size(name, found - x).max() <= eps * (1 + 1e-12)
        for row in range(4):
            low, high = LOW - x[row], HIGH - x[row]
            if name == "linf":
                best = (np.where(g[row] > 0, np.minimum(eps, high), np.maximum(-eps, low)) * g[row]).sum()
            elif name == "l1":
                bounds = [(0, h) for h in high] + [(0, -lo) for lo in low]
                best = -optimize.linprog(-np.r_[g[row], -g[row]], A_ub=[np.ones(18)], b_ub=[eps], bounds=bounds).fun
            else:
                start = np.clip(eps * g[row] / np.linalg.norm(g[row]), low, high)
                solved = optimize.minimize(
                    lambda d: -(d @ g[row]),  # noqa: B023
                    start,
                    bounds=list(zip(low, high)),
                    constraints=[{"type": "ineq", "fun": lambda d: eps**2 - d @ d}],  # noqa: B023
                    options={"ftol": 1e-12, "maxiter": 500},
                )
                best = -solved.fun
            assert (found[row] - x[row]) @ g[row] >= best - 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_steepest_has_unit_size_and_rises_as_the_dual_norm_says(backend, name):
    g = np.random.default_rng(4).standard_normal((6, 20)).astype(np.float32)
    d = backend.to_numpy(norms.bind(name, backend.xp, (-9.0, 9.0)).steepest(backend.asarray(g)))
    assert_allclose(size(name, d), 1, rtol=1e-5)
    dual = {"linf": np.abs(g).sum(1), "l2": np.linalg.norm(g, axis=1), "l1": np.abs(g).max(1)}[name]
    assert_allclose((d * g).sum(1), dual, rtol=1e-5)


def test_l1_steepest_skips_elements_that_cannot_move():
    g, x = np.array([[5.0, -3.0, 1.0]]), np.array([[1.0, 0.0, 0.5]])
    assert_array_equal(norms.bind("l1", numpy_space(), (0, 1)).steepest(g, x), [[0.0, 0.0, 1.0]])


def test_l1_steepest_skips_elements_whose_room_is_rounding():
    below = np.nextafter(np.float32(1), np.float32(0))
    g, x = np.asarray([[3.0, 2.0]], np.float32), np.asarray([[below, 0.5]], np.float32)
    assert_array_equal(norms.bind("l1", numpy_space(), (0, 1)).steepest(g, x), [[0.0, 1.0]])


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_uniform_in_the_ball(name):
    """In d dimensions the d-th power of size / eps is uniform on [0, 1], for every norm."""
    backend, d, n = numpy_backend(), 6, 4000
    x = np.zeros((n, d), dtype=np.float64)
    rng = backend.rng(5).bind(np.arange(n, dtype=np.int32), 2, None)
    drawn = norms.bind(name, backend.xp, (-9, 9)).sample(x, np.float64(0.5), rng)
    assert stats.kstest((size(name, drawn) / 0.5) ** d, "uniform").pvalue > 1e-3
    assert abs(drawn.mean(0)).max() < 0.02  # no side is favoured
    assert stats.kstest(np.abs(drawn[:, 0]), np.abs(drawn[:, -1])).pvalue > 1e-3


def test_l0_keeps_the_elements_that_bring_it_nearest():
    """Brute force over all choices of k elements."""
    from itertools import combinations

    rng = np.random.default_rng(6)
    x, to = rng.uniform(0, 1, (5, 6)), rng.uniform(-1, 2, (5, 6))
    found = norms.bind("l0", numpy_space(), (0, 1)).inside(x, to, np.float64(2))
    for row in range(5):
        best = np.inf
        for chosen in combinations(range(6), 2):
            trial = x[row].copy()
            trial[list(chosen)] = np.clip(to[row, list(chosen)], 0, 1)
            best = min(best, ((trial - to[row]) ** 2).sum())
        assert ((found[row] - to[row]) ** 2).sum() <= best + 1e-12
        assert (found[row] != x[row]).sum() <= 2


@pytest.mark.parametrize("name", [*NAMES, "l0"])
def test_masked_elements_do_not_move(backend, name):
    rng = np.random.default_rng(7)
    x, to = (rng.uniform(0, 1, (4, 12)).astype(np.float32) for _ in range(2))
    mask = rng.uniform(size=(4, 12)) < 0.5
    bound = norms.bind(name, backend.xp, (0.0, 1.0), backend.asarray(mask))
    eps = backend.asarray(np.float32(3 if name == "l0" else 0.4))
    draws = backend.rng(0).bind(backend.asarray(np.arange(4, dtype=np.int32)), 2, None)
    for moved in (
        bound.inside(backend.asarray(x), backend.asarray(to), eps),
        bound.extreme(backend.asarray(x), backend.asarray(to - 0.5), eps),
        backend.asarray(x) + bound.sample(backend.asarray(x), eps, draws),
        backend.asarray(x) + bound.steepest(backend.asarray(to - 0.5)),
        backend.asarray(x) + bound.project(backend.asarray(to - x), eps),
    ):
        assert_array_equal(backend.to_numpy(moved)[~mask], x[~mask])


def test_an_unknown_norm_names_those_there_are():
    with pytest.raises(ConfigError, match="linf, l2, l1, l0"):
        norms.bind("l3", np, (0, 1))


def numpy_backend():
    from armour_backends.numpy.backend import backend_for

    return backend_for("cpu")


def numpy_space():
    return numpy_backend().xp
