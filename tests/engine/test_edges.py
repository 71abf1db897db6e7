"""The ends of the engine's promises: budgets within a chunk, rows never opened, max_loss, coarse dtypes."""

import numpy as np
import pytest
from attrs import frozen
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour
from armour_core import Budget


def pgd(**settings):
    return armour.create("attack", "pgd", random_start=False, **settings)


@pytest.mark.parametrize("queries", [3, 4, 6, 9])
def test_a_row_takes_no_step_that_its_budget_does_not_pay(gradients, queries):
    """Each step goes one hundredth of eps: how far a row went tells how many there were."""
    case = gradients.two_class(n=6)
    attack = pgd(steps=40, rel_step=0.01)
    result = armour.run_attack(attack, case.model, case.x, case.y, eps=1e-3, budget=queries)
    moved = np.abs(result.x_adv().astype(np.float64) - case.x).max(1) / 1e-5
    assert_allclose(moved, queries - 2, rtol=0.05)


def test_a_row_that_is_never_opened_proposes_itself(engine):
    """Even rows rest after one question of three; on a budget of six, odd ones have none left at the second eps."""

    @frozen(kw_only=True)
    class Uneven:
        norm: str = "linf"
        steps: int = 3

        def start(self, p, rng):
            return {"x": p.x, "done": p.xp.zeros((p.x.shape[0],), dtype=p.xp.bool)}

        def step(self, p, state, k, rng):
            p.query(state["x"], keep=False)
            return state | {"done": p.xp.remainder(p.index, 2) == 0}

        def finish(self, p, state):
            return state["x"]

    case = engine.two_class(n=6)
    result = armour.run_attack(Uneven(), case.model, case.x, case.y, eps=[1e-6, 2e-6], budget=6)
    assert_array_equal(result.queries.forward, [5, 6] * 3)
    assert_array_equal(result.x_adv(1), case.x)


def test_max_loss_returns_the_highest_loss_for_rows_that_are_wrong_from_the_start(gradients):
    case = gradients.two_class(n=12)
    y = case.y.copy()
    y[:4] = 1 - y[:4]
    result = armour.run_attack("fgsm", case.model, case.x, y, eps=0.3, until="max_loss")
    assert_allclose(np.abs(result.x_adv() - case.x).max(1), 0.3, rtol=1e-4)
    assert not result.success[:, :4].any()
    assert_array_equal(result.distance[:4], 0)


@frozen(kw_only=True)
class Once:
    """Succeeds at the smallest eps of a sweep alone: at eps above 1 it stays where it is."""

    norm: str = "linf"
    steps: int = 1

    def start(self, p, rng):
        return {"x": p.x}

    def step(self, p, state, k, rng):
        xp = p.xp
        w = p.wide(xp.astype(xp.where(p.goal.labels == 0, -1, 1), p.x.dtype))
        return {"x": p.inside(xp.where(p.eps < 1.0, xp.zeros_like(p.x) + 0.5 * w, p.x))}

    def finish(self, p, state):
        return state["x"]


@pytest.mark.parametrize("until", ["success", "max_loss"])
@pytest.mark.parametrize("keep", ["all", "best"])
def test_what_comes_back_at_an_eps_is_what_its_success_is_about(engine, until, keep):
    model = engine.linear(np.array([[1.0, -1.0]]))
    x = np.array([[0.2], [-0.2], [0.3]], np.float32)
    y = np.array([0, 1, 0])
    result = armour.run_attack(Once(), model, x, y, eps=[2.0, 0.9], until=until, keep=keep)
    assert result.success.all()
    for k in range(2):
        assert_array_equal((result.x_adv(k)[:, 0] < 0).astype(int) != y, True)


def test_keeping_the_best_holds_one_copy(engine):
    case = engine.two_class(n=12)
    attack = armour.create("attack", "square", steps=20)
    eps = [0.1, 0.2, 0.3]
    every = armour.run_attack(attack, case.model, case.x, case.y, eps=eps)
    best = armour.run_attack(attack, case.model, case.x, case.y, eps=eps, keep="best")
    assert_array_equal(best.x_adv(), every.x_adv(2))  # found ones are carried up: the smallest that works
    assert len(best._kept._returned) == 1


@pytest.mark.parametrize(("dtype", "high"), [(np.uint8, 255), (np.float16, 1)])
def test_the_smallest_perturbation_survives_the_callers_coarser_dtype(engine, dtype, high):
    rng = np.random.default_rng(0)
    w = rng.standard_normal((24, 3)).astype(np.float32) / high
    model = engine.linear(w, bias=-w.sum(0) * high / 2, bounds=(0, high))
    x = (rng.uniform(0.2, 0.8, (12, 24)) * high).astype(dtype)
    y = ((x.astype(np.float64) - high / 2) @ w).argmax(1)
    attack = armour.create("attack", "hopskipjump", steps=4, first_points=40)
    result = armour.run_attack(attack, model, x, y)
    assert result.x_adv().dtype == dtype
    assert result.success.all()


def test_a_target_that_is_the_label_is_told(engine):
    case = engine.two_class(n=6)
    attack = armour.create("attack", "square", steps=2)
    result = armour.run_attack(attack, case.model, case.x, case.y, eps=0.1, targets=case.y)
    assert_array_equal(result.queries.forward, 2)
    assert any("6 target(s) are the label itself" in w for w in result.warnings)


def test_a_budget_of_steps_is_the_same_whoever_shares_the_batch(engine):
    """Row 0 rests at once in each round: alone, it may not have more rounds than beside others."""

    @frozen(kw_only=True)
    class Rester:
        norm: str = "linf"
        steps: int = 10
        rounds: int = 4

        def start(self, p, rng):
            return {"x": p.x, "done": p.xp.zeros((p.x.shape[0],), dtype=p.xp.bool)}

        def step(self, p, state, k, rng):
            p.query(state["x"], keep=False)
            return state | {"done": p.index == 0}

        def finish(self, p, state):
            return state["x"]

    case = engine.two_class(n=4)
    for size in (1, 4):
        result = armour.run_attack(
            Rester(), case.model, case.x, case.y, eps=0.1, budget=Budget(steps=20), batch_size=size
        )
        assert_array_equal(result.queries.forward, [4, 22, 22, 22])


def test_a_tensorflow_function_that_computes_with_its_number_of_rows_is_traced():
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    w = tf.random.stateless_normal((6, 3), (1, 2))
    model = armour.wrap(lambda x: tf.matmul(tf.reshape(x, (int(x.shape[0]), 6)), w), backend="tensorflow")
    x = np.random.default_rng(0).uniform(0, 1, (5, 2, 3)).astype(np.float32)
    result = armour.run_attack(pgd(steps=5), model, x, model(x).numpy().argmax(1), eps=0.5, batch_size=3)
    assert model.local
    assert result.success.any()
