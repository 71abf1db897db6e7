"""Attacks where they are easily wrong: one step a restart, constraints, half precision, wasted questions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour


def test_the_end_of_every_restart_of_pgd_is_judged(gradients):
    """One step a round: what the first round finds at its end, more rounds find too, and at once."""
    case = gradients.two_class(n=40)
    eps = float(np.median(case.distance["linf"]))
    one = armour.create("attack", "pgd", steps=1, rel_step=0.8)
    many = armour.create("attack", "pgd", steps=1, rel_step=0.8, rounds=8)
    once, often = (armour.run_attack(a, case.model, case.x, case.y, eps=eps) for a in (one, many))
    assert once.success[0].any()
    assert often.success[0][once.success[0]].all()  # the first round is the same
    assert (often.queries.forward[once.success[0]] <= 4).all()  # and ends there: its end is asked, then checked


@pytest.mark.parametrize("name", ["cw", "hopskipjump"])
def test_the_smallest_perturbation_keeps_to_the_constraints(gradients, name):
    """Only the first half of the features may move, up: the rest is projected away."""
    case = gradients.two_class(n=12, bounds=(-2.0, 2.0))
    xp = gradients.backend.xp
    first = gradients.backend.asarray(np.arange(10) < 5)

    def upward(x, clean):
        return xp.where(first, xp.maximum(x, clean), clean)

    settings = {"cw": {"steps": 60, "rounds": 4, "initial_const": 1.0}, "hopskipjump": {"steps": 3}}[name]
    attack = armour.create("attack", name, **settings)
    result = armour.run_attack(attack, case.model, case.x, case.y, constraints=[upward])
    moved = result.x_adv()[result.success[0]].astype(np.float64) - case.x[result.success[0]]
    assert len(moved) > 2
    assert_array_equal(moved[:, 5:], 0)
    assert moved.min() >= 0


def test_cw_runs_in_half_precision(gradients):
    """Adam's smallest numbers and atanh near 1 are beyond float16."""
    case = gradients.two_class(n=12, bounds=(-2.0, 2.0))
    x = case.x.astype(np.float16)
    attack = armour.create("attack", "cw", steps=60, rounds=4, initial_const=1.0)
    y = (x.astype(np.float32) @ case.w < 0).astype(int)
    half, single = (armour.run_attack(attack, case.model, given, y) for given in (x, x.astype(np.float32)))
    assert half.success.all()
    assert_allclose(half.distance, single.distance, rtol=0.05, atol=0.01)


def test_square_asks_nothing_twice(engine):
    """One feature has two corners: one of the two first points succeeds, whatever the draws."""
    model = engine.linear(np.array([[1.0, -1.0]]))
    x = np.full((32, 1), 0.2, np.float32)
    result = armour.run_attack(armour.create("attack", "square", steps=1), model, x, np.zeros(32, int), eps=0.5)
    assert result.success.all()
    assert set(result.queries.forward.tolist()) == {3, 4}


def test_a_bisection_ends_where_floats_do(engine):
    """At bounds (0, 255) the tolerance for 1500 features is below a float's step: questions end there."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal((1500, 2)).astype(np.float32)
    attack = armour.create("attack", "hopskipjump", norm="linf", steps=1, first_points=1)
    costs = []
    for high in (1.0, 255.0):
        model = engine.linear(w / np.float32(high), bias=-w.sum(0) / 2, bounds=(0.0, high))
        x = (rng.uniform(0.4, 0.6, (8, 1500)) * high).astype(np.float32)
        y = ((x / high - 0.5) @ w).argmax(1)
        costs.append(armour.run_attack(attack, model, x, y).queries.forward.mean())
    assert costs[1] <= costs[0] + 20  # of two bisections; log2(255) = 8 for each


def test_cw_stands_probabilities_that_vanish(gradients):
    """1 / p of the smallest p, times the constant, is beyond floats: no row comes back as NaN and costs the others."""
    xp = gradients.backend.xp
    w = gradients.backend.asarray(np.array([[-1.0, 1.0]], np.float32))

    def net(x):
        e = xp.exp(xp.matmul(x, w))
        return e / xp.sum(e, axis=1, keepdims=True)

    model = armour.wrap(net, bounds=(-60.0, 60.0), backend=gradients.name, outputs="probabilities")
    x = np.concatenate([np.linspace(-44.0, -42.0, 64), [-1.0]]).astype(np.float32)[:, None]  # p down to 1e-38
    attack = armour.create("attack", "cw", steps=40, rounds=4, initial_const=1000.0)
    result = armour.run_attack(attack, model, x, np.zeros(65, int))
    assert np.isfinite(result.x_adv()).all()
    assert result.success[0, -1]


def test_square_climbs_where_probabilities_are_all_but_certain(engine):
    """softmax of logits of a hundred and more is 1 and 0 in floats, or nearly so: the way up is in the logarithms."""
    xp = engine.backend.xp
    case = engine.many_class(n=24)
    w = engine.backend.asarray(case.w * np.float32(20))

    def softmax(x):
        z = xp.matmul(x, w)
        e = xp.exp(z - xp.max(z, axis=1, keepdims=True))
        return e / xp.sum(e, axis=1, keepdims=True)

    models = [
        armour.wrap(net, bounds=(-10.0, 10.0), backend=engine.name, outputs=kind)
        for net, kind in ((softmax, "probabilities"), (lambda x: xp.matmul(x, w), "logits"))
    ]
    attack = armour.create("attack", "square", steps=60)
    eps = float(np.quantile(case.distance["linf"], 0.8))
    found = [armour.run_attack(attack, model, case.x, case.y, eps=eps, seed=1).success.mean() for model in models]
    assert found[0] >= found[1] - 0.05
