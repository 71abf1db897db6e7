"""What the engine owes an attack and a caller, shown with attacks of a few lines."""

import gc
from typing import ClassVar

import numpy as np
import pytest
from attrs import frozen
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour
from armour_core import Budget, ConfigError, ContractError, DataError, MissingCapability


@frozen(kw_only=True)
class Walk:
    """Moves along a fixed direction by a tenth of eps a step, asking once; says what it was given."""

    norm: str = "linf"
    steps: int = 10
    rounds: int = 1
    direction: float = 1.0

    def start(self, p, rng):
        return {"x": p.x}

    def step(self, p, state, k, rng):
        x = p.inside(state["x"] + p.eps / 10 * self.direction)
        p.query(x)
        return {"x": x}

    def finish(self, p, state):
        return state["x"]


@frozen(kw_only=True)
class Spray:
    """Asks R points a sample in each step, of which the first half of the samples' even ones are wanted."""

    norm: str = "linf"
    steps: int = 3
    points: int = 4

    def start(self, p, rng):
        return {"x": p.x}

    def step(self, p, state, k, rng):
        n, xp = p.x.shape[0], p.xp
        noise = xp.astype(rng.uniform((n, self.points, *p.x.shape[1:]), -1.0, 1.0), p.x.dtype)
        wanted = xp.broadcast_to(xp.remainder(xp.arange(self.points, dtype=xp.int32), 2) == 0, (n, self.points))
        p.query(xp.expand_dims(p.x, axis=1) + p.eps * noise, where=wanted)
        return state

    def finish(self, p, state):
        return state["x"]


def test_a_row_costs_the_first_prediction_its_questions_and_the_last_check(engine):
    case = engine.two_class()
    result = armour.run_attack(Walk(), case.model, case.x, case.y, eps=1e-6)
    assert_array_equal(result.queries.forward, 12)
    assert_array_equal(result.queries.backward, 0)


def test_a_row_found_at_its_first_question_pays_for_no_more(engine):
    """All rows are of class 0, and fall at once to a huge step."""
    case = engine.two_class()
    weights = np.ones((10, 2), np.float32) * [-1, 1]
    model = engine.linear(weights, bias=[8.0, 0.0])
    z = case.x @ weights + [8.0, 0.0]
    y = z.argmax(1)
    assert (y == 0).all()
    result = armour.run_attack(Walk(), model, case.x, y, eps=9.0)
    assert result.success.all()
    assert_array_equal(result.queries.forward, 3)


@pytest.mark.parametrize("attack", [Walk(), Spray(), Spray(points=1)])
def test_the_referee_at_the_model_sees_what_is_booked_and_computed(engine, attack):
    if engine.name == "tensorflow":
        pytest.skip("compiled code runs without Python: the kit's referee counts there")
    referee = engine.Referee()
    case = engine.two_class(n=37, referee=referee)
    armour.run_attack(attack, case.model, case.x, case.y, eps=0.05, batch_size=16)  # looks the model over, once
    referee.rows = 0
    result = armour.run_attack(attack, case.model, case.x, case.y, eps=0.2, batch_size=16)
    queries = result.queries
    assert referee.rows == queries.forward.sum() + queries.computed.sum()
    if not case.model.local:
        assert queries.computed.sum() == 0


@pytest.mark.parametrize("queries", [2, 3, 5, 7, 11, 14])
def test_a_budget_is_never_exceeded_and_the_first_points_in_order_are_sent(engine, queries):
    case = engine.two_class()
    result = armour.run_attack(Spray(steps=5), case.model, case.x, case.y, eps=1e-6, budget=queries)
    asked = min(2 * 5, queries - 2)  # two of four points are wanted in each step
    assert_array_equal(result.queries.forward, asked + 2)


def test_a_budget_covers_all_eps_of_a_sweep(engine):
    case = engine.two_class()
    result = armour.run_attack(Walk(), case.model, case.x, case.y, eps=[1e-6, 2e-6, 3e-6], budget=15)
    assert result.queries.forward.max() <= 15
    assert any("no queries left" in w for w in result.warnings)


def test_a_row_that_is_not_sent_answers_as_the_clean_row_did(engine):
    seen = {}

    @frozen(kw_only=True)
    class Probe:
        norm: str = "linf"
        steps: int = 1
        traceable: ClassVar[bool] = False

        def start(self, p, rng):
            return {"x": p.x}

        def step(self, p, state, k, rng):
            where = p.index < 3
            seen["answers"] = p.backend.to_numpy(p.query(p.inside(p.x + p.eps), where=where))
            seen["clean"] = p.backend.to_numpy(p.clean)
            return state

        def finish(self, p, state):
            return state["x"]

    case = engine.two_class(n=8)
    armour.run_attack(Probe(), case.model, case.x, case.y, eps=0.5)
    assert_array_equal(seen["answers"][3:], seen["clean"][3:])
    assert (seen["answers"][:3] != seen["clean"][:3]).any()


def test_results_do_not_depend_on_the_batch(engine):
    case = engine.many_class(n=11)
    attack = armour.create("attack", "square", steps=30)
    results = [armour.run_attack(attack, case.model, case.x, case.y, eps=0.4, seed=3, batch_size=b) for b in (1, 4, 11)]
    for other in results[1:]:
        assert_array_equal(other.success, results[0].success)
        assert_array_equal(other.queries.forward, results[0].queries.forward)
        assert_allclose(other.x_adv(), results[0].x_adv(), atol=2e-5)


def test_the_order_of_samples_changes_nothing(gradients):
    """Draws are keyed by the place in the data set, here given by hand."""
    from armour_core.engine.driver import drive
    from armour_core.engine.problem import Problem

    case = gradients.many_class(n=24)
    backend, attack = gradients.backend, armour.create("attack", "pgd", steps=7)
    case.model.examine(case.model.admit(case.x))

    def run(order):
        labels = backend.asarray(case.y[order].astype(np.int32))
        problem = Problem(
            model=case.model,
            x=case.model.admit(case.x[order]),
            goal=armour.Untargeted(labels, backend.xp),
            norm="linf",
            eps=0.2,
            index=backend.asarray(order.astype(np.int32)),
        )
        return drive(attack, problem, backend.rng(5))

    straight, order = run(np.arange(24)), np.random.default_rng(0).permutation(24)
    shuffled = run(order)
    assert_array_equal(shuffled.success, straight.success[order])
    assert_allclose(backend.to_numpy(shuffled.x_adv), backend.to_numpy(straight.x_adv)[order], atol=2e-5)


def test_a_sweep_is_monotone_and_equals_runs_of_each_eps_alone(engine):
    case = engine.many_class()
    eps = [0.05, 0.3, 0.1]  # in any order
    attack = armour.create("attack", "square", steps=30)
    together = armour.run_attack(attack, case.model, case.x, case.y, eps=eps, seed=1)
    order = np.argsort(eps)
    assert (np.diff(together.success[order].astype(int), axis=0) >= 0).all()
    carried = np.zeros(len(case.x), bool)
    for k in order:
        alone = armour.run_attack(attack, case.model, case.x, case.y, eps=eps[k], seed=1)
        assert_array_equal(together.success[k], alone.success[0] | carried)
        carried |= alone.success[0]
        worked = together.success[k]
        sizes = np.abs(together.x_adv(k).astype(np.float64) - case.x).max(1)
        assert (sizes <= eps[k]).all()
        z = together.x_adv(k) @ case.w
        assert_array_equal(z.argmax(1)[worked] != case.y[worked], True)


def test_initially_wrong_samples_are_never_asked_again(engine):
    case = engine.two_class()
    y = case.y.copy()
    y[::3] = 1 - y[::3]
    result = armour.run_attack(Walk(), case.model, case.x, y, eps=0.2)
    wrong = np.arange(len(y)) % 3 == 0
    assert_array_equal(result.initially_wrong, wrong)
    assert not result.success[0, wrong].any()
    assert_array_equal(result.queries.forward[wrong], 1)
    assert_array_equal(result.distance[wrong], 0)
    assert_array_equal(result.x_adv()[wrong], case.x[wrong])
    assert result.robust_accuracy[0] == ((~result.success[0]) & ~wrong).mean()


def test_max_loss_attacks_all_and_keeps_the_highest_loss(gradients):
    """It walks out and back: the farthest point has the highest loss, and is what comes back."""

    @frozen(kw_only=True)
    class OutAndBack:
        norm: str = "l2"
        steps: int = 8

        def start(self, p, rng):
            return {"x": p.x}

        def step(self, p, state, k, rng):
            _, g = p.grad(p.x)
            far = p.xp.where(k < 4, p.xp.astype(k, p.x.dtype) + 1.0, 7.0 - p.xp.astype(k, p.x.dtype)) / 4.0
            x = p.inside(p.x + p.eps * far * p.norm.steepest(g))
            p.query(x)
            return {"x": x}

        def finish(self, p, state):
            return state["x"]

    case = gradients.two_class()
    y = case.y.copy()
    y[0] = 1 - y[0]
    result = armour.run_attack(OutAndBack(), case.model, case.x, y, eps=0.3, until="max_loss")
    moved = np.linalg.norm(result.x_adv().astype(np.float64) - case.x, axis=1)
    assert_allclose(moved, 0.3, rtol=1e-4)
    assert result.queries.backward[0] == 8  # the initially wrong one too


def test_resting_rows_cost_nothing_and_come_back_for_the_next_round(engine):
    """Row i rests after i % 4 + 1 steps; its state must not move while others go on, and rounds continue it."""

    @frozen(kw_only=True)
    class Rester:
        norm: str = "linf"
        steps: int = 6
        rounds: int = 3

        def start(self, p, rng):
            n, xp = p.x.shape[0], p.xp
            zeros = xp.zeros((n,), dtype=xp.int32)
            return {"x": p.x, "taken": zeros, "round": zeros, "done": xp.zeros((n,), dtype=xp.bool)}

        def again(self, p, state, r, rng):
            xp = p.xp
            return state | {"round": xp.zeros_like(state["round"]), "done": xp.zeros_like(state["done"])}

        def step(self, p, state, k, rng):
            p.query(p.x, keep=False)
            count = state["round"] + 1
            return state | {"taken": state["taken"] + 1, "round": count, "done": count > p.xp.remainder(p.index, 4)}

        def finish(self, p, state):
            """The number of steps taken, written into x."""
            return p.x + p.eps * p.wide(p.xp.astype(state["taken"], p.x.dtype)) / 100.0

    case = engine.two_class(n=21)
    result = armour.run_attack(Rester(), case.model, case.x, case.y, eps=1e-3, batch_size=8)
    steps = 3 * (np.arange(21) % 4 + 1)
    assert_array_equal(result.queries.forward, steps + 2)
    taken = (result.x_adv().astype(np.float64) - case.x).mean(1) / 1e-3 * 100
    assert_allclose(taken, steps, atol=0.1)


def test_a_minimum_norm_attack_answers_every_eps_in_one_run(engine):
    case = engine.two_class()
    attack = armour.create("attack", "hopskipjump", steps=6)
    smallest = armour.run_attack(attack, case.model, case.x, case.y, eps=None, seed=2)
    assert smallest.success.shape == (1, len(case.x))
    eps = list(np.quantile(case.distance["l2"], [0.3, 0.6, 0.9]))
    swept = armour.run_attack(attack, case.model, case.x, case.y, eps=eps, seed=2)
    for k, e in enumerate(eps):
        assert_array_equal(swept.success[k], swept.distance <= e)
        assert not (swept.success[k] & (case.distance["l2"] > e)).any()
        moved = np.linalg.norm(swept.x_adv(k).astype(np.float64) - case.x, axis=1)
        assert (moved <= e).all()  # what lies farther is not returned for this eps
    assert swept.queries.forward.sum() < smallest.queries.forward.sum()  # rows within the smallest eps are done


def test_targets_are_reached_and_only_they_count(gradients):
    case = gradients.many_class()
    targets = (case.y + 1) % 5
    result = armour.run_attack("pgd", case.model, case.x, case.y, eps=2.0, targets=targets)
    z = result.x_adv() @ case.w
    assert_array_equal(result.success[0], (z.argmax(1) == targets) & ~result.initially_wrong)
    assert result.success.mean() > 0.9


def test_a_mask_keeps_elements_bit_equal(engine):
    case = engine.many_class()
    mask = np.random.default_rng(0).uniform(size=case.x.shape) < 0.5
    for given in (mask, mask[0], mask.astype(np.float32)):
        result = armour.run_attack(
            armour.create("attack", "square", steps=20), case.model, case.x, case.y, eps=0.5, mask=given
        )
        kept = ~np.broadcast_to(given.astype(bool), case.x.shape)
        assert_array_equal(result.x_adv()[kept], case.x[kept])


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.float32])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_ball_holds_in_the_callers_own_dtype(engine, dtype, norm):
    case = engine.many_class()
    x = case.x.astype(dtype)
    y = (x.astype(np.float32) @ case.w).argmax(1)
    attack = armour.create("attack", "square", norm=norm, steps=20)
    result = armour.run_attack(attack, case.model, x, y, eps=0.37)
    adversarial = result.x_adv()
    assert adversarial.dtype == dtype
    d = adversarial.astype(np.float64) - x.astype(np.float64)
    size = {"linf": np.abs(d).max(1), "l2": np.linalg.norm(d, axis=1), "l1": np.abs(d).sum(1)}[norm]
    assert (size <= 0.37 * (1 + 1e-15)).all()
    z = adversarial.astype(np.float32) @ case.w
    assert_array_equal(result.success[0], (z.argmax(1) != y) & ~result.initially_wrong)


def test_compiled_code_is_not_reused_for_another_problem(engine):
    """What the closure sees and the key omits shows on the second call: every pair of calls on one model."""
    case = engine.many_class()
    calls = [
        {"eps": 0.3},
        {"eps": 0.3, "mask": np.arange(8) < 4},
        {"eps": 0.3, "targets": (case.y + 1) % 5},
        {"eps": 0.3, "budget": 20},
        {"eps": 0.1},
        {"eps": 0.3, "seed": 9},
        {"eps": 0.3, "until": "max_loss"},
    ]
    attack = armour.create("attack", "square", steps=20)
    fresh = [armour.run_attack(attack, engine.many_class().model, case.x, case.y, **call) for call in calls]
    for call, alone in [*zip(calls, fresh), *zip(reversed(calls), reversed(fresh))]:
        again = armour.run_attack(attack, case.model, case.x, case.y, **call)
        assert_array_equal(again.x_adv(), alone.x_adv())
        assert_array_equal(again.queries.forward, alone.queries.forward)


def test_steps_and_seconds_end_a_run(engine):
    case = engine.two_class()
    result = armour.run_attack(Walk(steps=50), case.model, case.x, case.y, eps=1e-6, budget=Budget(steps=7))
    assert_array_equal(result.queries.forward, 9)
    result = armour.run_attack(Walk(steps=10**6), case.model, case.x, case.y, eps=1e-6, budget=Budget(seconds=0.2))
    assert result.queries.forward.max() < 10**6


def test_training_reads_nothing_back(gradients, monkeypatch):
    """check=False, track=False: no first prediction, no last check, no best iterate, no transfer to the host."""
    from armour_core.engine.driver import drive
    from armour_core.engine.problem import Problem

    case = gradients.two_class()
    backend = gradients.backend
    labels = backend.asarray((1 - case.y).astype(np.int32))  # wrong labels: every row is attacked all the same
    case.model.examine(case.model.admit(case.x))
    problem = Problem(
        model=case.model,
        x=case.model.admit(case.x),
        goal=armour.Untargeted(labels, backend.xp),
        norm="linf",
        eps=0.1,
        until="max_loss",
    )
    attack, rng = armour.create("attack", "pgd", steps=5), backend.rng(0)

    def refuse(x):
        raise AssertionError("a transfer to the host")

    monkeypatch.setattr(type(backend), "to_numpy", lambda self, x: refuse(x))
    outcome = drive(attack, problem, rng, check=False, track=False)
    monkeypatch.undo()
    moved = backend.to_numpy(outcome.x_adv) - case.x
    assert_allclose(np.abs(moved), 0.1, rtol=1e-4)
    assert_array_equal(backend.to_numpy(outcome.backward), 5)


def test_compiled_code_keeps_no_batch_alive(gradients):
    """200 attacks on one model: what was attacked is freed, and the model keeps a bounded number of pieces."""
    case = gradients.two_class(n=4, d=13)
    for k in range(200 if gradients.name == "torch" else 3):
        armour.run_attack(Walk(steps=1, direction=float(k)), case.model, case.x, case.y, eps=0.1)
    gc.collect()
    assert len(case.model.compiled) <= 128
    tensor = type(gradients.backend.asarray(case.x[0]))
    batches = [held for held in gc.get_objects() if type(held) is tensor and tuple(held.shape) == (4, 13)]
    assert not batches


def test_what_the_caller_does_to_x_later_changes_no_result(engine):
    case = engine.two_class()
    x = case.x.copy()
    result = armour.run_attack(Walk(), case.model, x, case.y, eps=0.1)
    before = result.x_adv()
    x += 5
    assert_array_equal(result.x_adv(), before)


def test_an_unchecked_run_that_needs_the_clean_prediction_says_so(engine):
    from armour_core.engine.driver import drive
    from armour_core.engine.problem import Problem

    case = engine.two_class()
    backend = engine.backend
    labels = backend.asarray(case.y.astype(np.int32))
    problem = Problem(
        model=case.model,
        x=case.model.admit(case.x),
        goal=armour.Untargeted(labels, backend.xp),
        norm="linf",
        eps=0.1,
        budget=Budget(queries=9),
    )
    with pytest.raises(ConfigError, match="clean=model"):
        drive(Walk(), problem, backend.rng(0), check=False, track=False)


# ---- broken promises


def broken(**methods):
    @frozen(kw_only=True)
    class Broken(Walk):
        pass

    for name, method in methods.items():
        setattr(Broken, name, method)
    return Broken()


@pytest.mark.parametrize(
    ("attack", "says"),
    [
        (broken(finish=lambda self, p, s: s["x"] + 3 * p.eps), "left the linf ball"),
        (broken(finish=lambda self, p, s: s["x"][:, :3]), "shape"),
        (broken(finish=lambda self, p, s: s["x"] * p.xp.nan), "NaN"),
        (broken(finish=lambda self, p, s: s["x"] + 100.0), "bounds"),
        (broken(start=lambda self, p, rng: p.x), "flat dict"),
        (broken(start=lambda self, p, rng: {"x": p.x, "t": 0}), "first axis"),
        (broken(step=lambda self, p, s, k, rng: {"y": s["x"]}), "start fixed"),
        (broken(step=lambda self, p, s, k, rng: {"x": p.xp.astype(s["x"], p.xp.float64)}), "float64"),
        (broken(step=lambda self, p, s, k, rng: {"x": s["x"][:, :4]}), "start fixed"),
        (broken(step=lambda self, p, s, k, rng: (p.query(s["x"][:, :2]), s)[1]), "shape"),
        (broken(step=lambda self, p, s, k, rng: (rng.uniform((3,)), s)[1]), "sample axis"),
    ],
)
def test_a_broken_promise_is_a_contract_error_that_says_which(engine, attack, says):
    case = engine.two_class()
    with pytest.raises((ContractError, ConfigError), match=says):
        armour.run_attack(attack, case.model, case.x, case.y, eps=1e-3)


def test_a_candidate_kept_outside_the_ball_is_no_silent_success(engine):
    case = engine.two_class()
    attack = broken(step=lambda self, p, s, k, rng: (p.query(p.x - p.eps * 1000.0 * p.norm.steepest(p.x)), s)[1])
    with pytest.raises(ContractError, match="ball"):
        armour.run_attack(attack, case.model, case.x, case.y, eps=1e-3)


def test_bad_calls_are_refused_before_any_work(engine):
    referee = engine.Referee()
    case = engine.two_class(referee=referee)
    bad = [
        ({"eps": []}, ConfigError, "at least one"),
        ({"eps": -1}, ConfigError, "at least 0"),
        ({"eps": float("nan")}, ConfigError, "finite"),
        ({"eps": [0.1, float("inf")]}, ConfigError, "finite"),
        ({"eps": "a lot"}, ConfigError, "number"),
        ({"eps": "0.1"}, ConfigError, "number"),
        ({"eps": True}, ConfigError, "number"),
        ({"eps": 0.1, "targets": [0, 1]}, DataError, "targets has 2 labels for 48"),
        ({"eps": None}, ConfigError, "minimum-norm"),
        ({"eps": 0.1, "batch_size": 0}, ConfigError, "batch_size"),
        ({"eps": 0.1, "seed": 1.5}, ConfigError, "seed"),
        ({"eps": 0.1, "budget": 1}, ConfigError, "at least 2"),
        ({"eps": 0.1, "budget": "many"}, ConfigError, "Budget"),
        ({"eps": 0.1, "until": "forever"}, ConfigError, "success"),
        ({"eps": 0.1, "keep": "some"}, ConfigError, "best"),
        ({"eps": 0.1, "mask": np.ones(3)}, DataError, "broadcast"),
        ({"eps": 0.1, "mask": np.full(10, 2)}, DataError, "0 and 1"),
    ]
    for call, error, says in bad:
        with pytest.raises(error, match=says):
            armour.run_attack(Walk(), case.model, case.x, case.y, **call)
    assert referee.rows == 0 or engine.name != "numpy"
    with pytest.raises(ConfigError, match="wrap"):
        armour.run_attack(Walk(), lambda x: x, case.x, case.y, eps=0.1)
    if not engine.autodiff:
        with pytest.raises(MissingCapability, match="square"):
            armour.run_attack("pgd", case.model, case.x, case.y, eps=0.1)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.eye(2)[[0, 1] * 24], "one-hot"),
        (np.zeros(48), "float"),
        (np.full(48, -1), "negative|-1"),
        (np.full(48, 7), "7"),
        (np.zeros(5, int), "5"),
    ],
)
def test_labels_are_checked_at_the_door(engine, y, says):
    case = engine.two_class()
    with pytest.raises(DataError, match=says):
        armour.run_attack(Walk(), case.model, case.x, y, eps=0.1)


def test_outputs_that_are_not_finite_name_the_rows(engine):
    case = engine.linear(np.full((4, 2), np.nan))
    with pytest.raises(DataError, match="NaN"):
        armour.run_attack(Walk(), case, np.zeros((3, 4), np.float32), np.zeros(3, int), eps=0.1)
