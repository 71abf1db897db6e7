"""Attacks against closed forms: on linear models every distance is known exactly."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour

NORMS = ("linf", "l2", "l1")


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_the_exact_optimum_on_two_classes(gradients, norm):
    """The margin after one step is the clean margin less eps times the dual norm, to float error."""
    case = gradients.two_class(bounds=(-100.0, 100.0))
    eps = float(np.median(case.distance[norm]))
    result = armour.run_attack(armour.create("attack", "fgsm", norm=norm), case.model, case.x, case.y, eps=eps)
    sign = np.where(case.y == 0, 1, -1)
    w = case.w.astype(np.float64)
    before, after = (sign * (z.astype(np.float64) @ w) for z in (case.x, result.x_adv()))
    dual = {"linf": np.abs(w).sum(), "l2": np.linalg.norm(w), "l1": np.abs(w).max()}[norm]
    assert_allclose(before - after, eps * dual, rtol=2e-5)
    clear = np.abs(case.distance[norm] - eps) > 1e-5
    assert_array_equal(result.success[0][clear], (case.distance[norm] < eps)[clear])


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_is_exact_in_a_tight_box_too(gradients, norm):
    """Elements that the bounds stop give their share to the others: against a linear program's optimum."""
    from scipy import optimize

    case = gradients.two_class(n=6, d=7, bounds=(-0.4, 0.4))
    x = case.x.clip(-0.4, 0.4)
    y = (x @ case.w < 0).astype(np.int64)
    eps = {"linf": 0.3, "l2": 0.7, "l1": 1.3}[norm]
    attack = armour.create("attack", "fgsm", norm=norm)
    result = armour.run_attack(attack, case.model, x, y, eps=eps, until="max_loss")
    for row in range(len(x)):
        g = case.w.astype(np.float64) * (-1 if y[row] == 0 else 1)
        low, high = -0.4 - x[row].astype(np.float64), 0.4 - x[row].astype(np.float64)
        if norm == "linf":
            best = (np.where(g > 0, np.minimum(eps, high), np.maximum(-eps, low)) * g).sum()
        elif norm == "l1":
            box = [(0, h) for h in high] + [(0, -lo) for lo in low]
            best = -optimize.linprog(-np.r_[g, -g], A_ub=[np.ones(14)], b_ub=[eps], bounds=box).fun
        else:
            circle = {"type": "ineq", "fun": lambda d: eps**2 - d @ d}
            start = np.clip(eps * g / np.linalg.norm(g), low, high)
            solved = optimize.minimize(lambda d: -(d @ g), start, bounds=list(zip(low, high)), constraints=[circle])  # noqa: B023
            best = -solved.fun
        assert (result.x_adv()[row].astype(np.float64) - x[row]) @ g >= best - 1e-5


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_decides_two_classes(gradients, norm):
    """Every sample whose distance differs from eps by more than 5 %."""
    case = gradients.two_class(n=64)
    eps = float(np.median(case.distance[norm]))
    result = armour.run_attack(armour.create("attack", "pgd", norm=norm), case.model, case.x, case.y, eps=eps, seed=0)
    clear = np.abs(case.distance[norm] - eps) > 0.05 * eps
    assert_array_equal(result.success[0][clear], (case.distance[norm] < eps)[clear])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fgsm", "pgd", "square", "gaussian_noise"])
def test_no_attack_succeeds_below_the_true_distance(gradients, name, norm):
    case = gradients.many_class()
    settings = {"square": {"steps": 100}}.get(name, {})
    eps = list(np.quantile(case.distance[norm], [0.2, 0.5, 0.8]))
    attack = armour.create("attack", name, norm=norm, **settings)
    result = armour.run_attack(attack, case.model, case.x, case.y, eps=eps)
    for k, e in enumerate(eps):
        assert not (result.success[k] & (case.distance[norm] > e * (1 + 1e-5))).any()
    if name != "gaussian_noise":
        assert result.success[-1].any()


@pytest.mark.parametrize("norm", NORMS)
def test_square_comes_near_the_optimum_by_scores_alone(engine, norm):
    case = engine.two_class(n=32)
    eps = float(np.median(case.distance[norm]))
    attack = armour.create("attack", "square", norm=norm, steps=400)
    result = armour.run_attack(attack, case.model, case.x, case.y, eps=eps)
    easy = case.distance[norm] < 0.7 * eps
    assert easy.any()
    assert result.success[0][easy].all()
    assert not result.success[0][case.distance[norm] > eps * (1 + 1e-5)].any()


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_hopskipjump_ends_within_a_few_percent_of_the_true_distance_by_labels_alone(engine, norm):
    case = engine.two_class(n=16)
    model = engine.labels(np.stack([case.w, -case.w], axis=1))
    result = armour.run_attack(armour.create("attack", "hopskipjump", norm=norm, steps=15), model, case.x, case.y)
    ratio = result.distance / case.distance[norm]
    assert (ratio > 1 - 1e-5).all()
    assert np.median(ratio) < 1.03


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_cw_is_within_five_percent_of_the_true_distance_whatever_the_bounds(gradients, scale):
    """Bounds (0, 1) and (0, 100): constants are scaled, so the answer is the same picture."""
    rng = np.random.default_rng(2)
    w = rng.standard_normal((12, 4)).astype(np.float32)
    x = rng.uniform(0.3, 0.7, (24, 12)).astype(np.float32)
    model = gradients.linear(w / np.float32(scale), bounds=(0.0, scale))
    z = x.astype(np.float64) @ w
    y = z.argmax(1)
    gaps = z[np.arange(24), y][:, None] - z
    duals = np.linalg.norm(w.T[y][:, None, :] - w.T[None], axis=2)
    true = scale * np.where(duals > 0, gaps / np.where(duals > 0, duals, 1), np.inf).min(1)
    attack = armour.create("attack", "cw", steps=200, rounds=7, initial_const=0.1)
    result = armour.run_attack(attack, model, x * np.float32(scale), y)
    inner = true < 0.25 * scale  # farther ones meet the bounds first
    assert inner.sum() >= 5
    assert result.success[0][inner].all()
    ratio = result.distance[inner] / true[inner]
    assert ratio.min() > 1 - 1e-4
    assert np.median(ratio) < 1.05


def test_cw_respects_its_confidence(gradients):
    """kappa is a margin of the logits: what comes back has it."""
    case = gradients.two_class(n=12, bounds=(-2.0, 2.0))
    attack = armour.create("attack", "cw", steps=150, rounds=5, initial_const=1.0, confidence=0.5)
    result = armour.run_attack(attack, case.model, case.x, case.y)
    plain = armour.run_attack(
        armour.create("attack", "cw", steps=150, rounds=5, initial_const=1.0), case.model, case.x, case.y
    )
    assert result.success.all()
    z = result.x_adv() @ np.stack([case.w, -case.w], 1)
    margin = np.abs(z[:, 0] - z[:, 1])
    assert (margin >= 0.5 * (1 - 1e-3)).all()
    assert (result.distance > plain.distance).all()


def test_restarts_attack_survivors_only(gradients):
    case = gradients.two_class()
    eps = float(np.median(case.distance["linf"]))
    attack = armour.create("attack", "pgd", steps=5, rounds=4)
    result = armour.run_attack(attack, case.model, case.x, case.y, eps=eps)
    hit = result.success[0]
    assert_array_equal(result.queries.backward[~hit], 20)
    assert (result.queries.backward[hit] < 20).all()


@pytest.mark.parametrize("name", ["pgd", "square"])
def test_backends_agree_bit_for_bit(name):
    """One seed, one start, one answer: torch and TensorFlow."""
    torch_backend = pytest.importorskip("armour_backends.torch.backend", exc_type=ImportError).backend_for("cpu")
    tf_backend = pytest.importorskip("armour_backends.tensorflow.backend", exc_type=ImportError).backend_for("cpu")
    results = []
    for backend in (torch_backend, tf_backend):
        xp = backend.xp
        w = backend.asarray(np.linspace(-1, 1, 64 * 3, dtype=np.float32).reshape(64, 3) ** 3)
        model = armour.wrap(lambda x, xp=xp, w=w: xp.matmul(xp.reshape(x, (x.shape[0], -1)), w), backend=backend.name)
        x = np.random.default_rng(0).uniform(0, 1, (20, 8, 8)).astype(np.float32)
        y = backend.to_numpy(xp.argmax(model(x), axis=1))
        attack = armour.create("attack", name, steps=12)
        results.append(armour.run_attack(attack, model, x, y, eps=0.05, seed=4))
    assert_array_equal(results[0].success, results[1].success)
    assert_array_equal(results[0].queries.forward, results[1].queries.forward)
    assert_array_equal(results[0].x_adv(), results[1].x_adv())
