"""What `p` answers: gradients, Jacobians, views, draws, checked against linear algebra on models that are linear."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from attrs import field, frozen
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour


@frozen(kw_only=True, eq=False)
class Ask:
    """Calls a function with p once, brings what it returns out through its state, and leaves x as it is."""

    question: Any
    seen: dict[str, Any] = field(factory=dict)
    norm: str = "linf"
    steps: int = 1

    def start(self, p, rng):
        answers = self.question(p, rng)
        return {"x": p.x, **answers}

    def step(self, p, state, k, rng):
        return state

    def finish(self, p, state):
        self.seen.update({key: p.backend.to_numpy(value) for key, value in state.items()})
        return state["x"]


@pytest.fixture
def ask(engine, monkeypatch):
    """Ask one question of a linear model with 4 classes, in compiled code where there is such."""
    from armour_core import config

    monkeypatch.setattr(config, "configured_id", lambda attack: ("Ask", {}))
    case = engine.many_class(n=6, d=5, classes=4)

    def run(question, **call):
        attack = Ask(question=question)
        result = armour.run_attack(attack, case.model, case.x, case.y, **{"eps": 0.01, "seed": 3} | call)
        return SimpleNamespace(**attack.seen, result=result, case=case)

    return run


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_the_gradient_of_cross_entropy_is_the_textbook_one(gradients, ask):
    answer = ask(lambda p, rng: dict(zip(("loss", "g"), p.grad(p.x, "ce"))))
    case = answer.case
    probability = softmax(case.x @ case.w)
    hot = np.eye(4)[case.y]
    assert_allclose(answer.loss, -np.log((probability * hot).sum(1)), rtol=1e-4)
    assert_allclose(answer.g, (probability - hot) @ case.w.T, atol=1e-5)
    assert_array_equal(answer.result.queries.backward, 1)


def test_a_target_turns_the_loss_around(gradients, ask):
    targets = np.array([0, 1, 2, 3, 0, 1])
    answer = ask(lambda p, rng: dict(zip(("loss", "g"), p.grad(p.x, "ce"))), targets=targets)
    probability = softmax(answer.case.x @ answer.case.w)
    assert_allclose(answer.g, -(probability - np.eye(4)[targets]) @ answer.case.w.T, atol=1e-5)


def test_via_differentiates_in_another_variable(gradients, ask):
    """z at model(x + sin z): the chain rule by hand."""

    def question(p, rng):
        z = p.x * 0.1
        _, g = p.grad(z, "margin", via=lambda z: p.x + p.xp.sin(z), keep=False)
        _, plain = p.grad(p.x + p.xp.sin(z), "margin", keep=False)
        return {"g": g, "plain": plain}

    answer = ask(question)
    assert_allclose(answer.g, answer.plain * np.cos(0.1 * answer.case.x), atol=1e-5)


def test_the_jacobian_of_a_linear_model_is_its_weights(gradients, ask):
    answer = ask(lambda p, rng: dict(zip(("z", "rows"), p.jacobian(p.x))))
    assert_allclose(answer.rows, np.broadcast_to(answer.case.w.T, (6, 4, 5)), atol=1e-6)
    assert_allclose(answer.z, answer.case.x @ answer.case.w, atol=1e-5)
    assert_array_equal(answer.result.queries.backward, 4)
    assert_array_equal(answer.result.queries.forward, 3)


def test_the_jacobian_of_chosen_classes(gradients, ask):
    def question(p, rng):
        classes = p.xp.stack([p.goal.labels, p.xp.remainder(p.goal.labels + 1, 4)], axis=1)
        return {"rows": p.jacobian(p.x, classes)[1]}

    answer = ask(question)
    labels = answer.case.y
    assert_allclose(answer.rows, np.stack([answer.case.w.T[labels], answer.case.w.T[(labels + 1) % 4]], 1), atol=1e-6)
    assert_array_equal(answer.result.queries.backward, 2)


def test_a_view_that_draws_averages_and_every_draw_is_counted(gradients, ask):
    """EOT over three shifts of a linear model: the margin's gradient is that of the mean, and costs 3 + 3."""

    def question(p, rng):
        shifts = p.backend.asarray(np.array([0.0, 0.001, -0.002], dtype=np.float32))

        def view(x):
            return p.xp.expand_dims(x, axis=1) + p.xp.reshape(shifts, (1, 3, 1))

        behind = p.through(view)
        loss, g = behind.grad(p.x, "margin")
        return {"loss": loss, "g": g, "z": behind.query(p.x)}

    answer = ask(question)
    case = answer.case
    z = (case.x[:, None] + np.array([0.0, 0.001, -0.002])[:, None]) @ case.w.astype(np.float64)
    assert_allclose(answer.z, z.mean(1), atol=1e-5)
    assert_array_equal(answer.result.queries.forward, 2 + 3 + 3)
    assert_array_equal(answer.result.queries.backward, 3)
    own = z[np.arange(6), :, case.y]
    others = np.where(np.eye(4, dtype=bool)[case.y][:, None, :], -np.inf, z).max(2)
    assert_allclose(answer.loss, (others - own).mean(1), atol=1e-4)


def test_a_view_passes_backward_as_it_says(gradients, ask):
    """BPDA: forward through rounding, backward as if it were not there. Without it the gradient is zero."""

    def question(p, rng):
        xp, stop = p.xp, p.backend.stop_gradient
        straight = p.through(lambda x: x + stop(xp.round(x * 4) / 4 - x))
        return {"through": straight.grad(p.x, "margin")[1], "g": p.grad(p.x, "margin")[1]}

    answer = ask(question)
    assert_allclose(np.abs(answer.through).max(1), np.abs(answer.g).max(1), rtol=0.9)
    assert (np.abs(answer.through) > 0).any(axis=1).all()


def test_successes_behind_a_view_count_only_where_outputs_are_the_models_own(engine, ask):
    def far(exact):
        def question(p, rng):
            away = p.through(lambda x: -x, exact=exact)  # every label flips behind it
            away.query(p.x)
            return {}

        return question

    assert not ask(far(False)).result.success.any()
    claimed = ask(far(True)).result
    assert not claimed.success.any()  # the last check is by the plain forward
    assert any("denied" in w for w in claimed.warnings)


def test_of_several_points_the_best_is_kept(engine):
    """Five points on the way out: with eps the highest margin is kept, for the smallest norm the nearest success."""

    @frozen(kw_only=True)
    class Fan:
        norm: str = "l2"
        steps: int = 1
        minimum: bool = False

        def start(self, p, rng):
            return {"x": p.x}

        def step(self, p, state, k, rng):
            xp, radius = p.xp, 0.5 if self.minimum else p.eps
            shares = p.backend.asarray(np.array([0.2, 1.0, 0.4, 0.8, 0.6], dtype=np.float32))
            w = p.backend.asarray(case.w)
            away = xp.where(p.goal.labels == 0, -1.0, 1.0)
            direction = p.norm.steepest(p.wide(away) * xp.expand_dims(w, axis=0) * xp.ones_like(p.x))
            fan = xp.expand_dims(p.x, axis=1) + radius * xp.reshape(shares, (1, 5, 1)) * xp.expand_dims(
                direction, axis=1
            )
            p.query(fan)
            return state

        def finish(self, p, state):
            return state["x"]

    case = engine.two_class(n=20)
    eps = float(case.distance["l2"].max() * 1.01)
    result = armour.run_attack(Fan(), case.model, case.x, case.y, eps=eps)
    assert result.success.all()
    assert_allclose(result.distance, eps, rtol=1e-4)
    assert_array_equal(result.queries.forward, 7)
    nearest = armour.run_attack(Fan(minimum=True), case.model, case.x, case.y)
    shares = np.array([0.2, 0.4, 0.6, 0.8, 1.0]) * 0.5
    best = [shares[shares > d][0] if (shares > d).any() else np.inf for d in case.distance["l2"]]
    assert_allclose(nearest.distance, best, rtol=1e-4)


def test_asking_records_no_graph():
    """Weights that train would otherwise make every answer hold its graph."""
    torch = pytest.importorskip("torch")
    net = torch.nn.Linear(4, 3)
    recorded = []

    @frozen(kw_only=True)
    class Look:
        traceable: bool
        norm: str = "linf"
        steps: int = 2

        def start(self, p, rng):
            recorded.append(p.query(p.x).requires_grad)
            return {"x": p.x}

        def step(self, p, state, k, rng):
            recorded.append(p.query(p.x).requires_grad)
            if self.traceable:
                recorded.append(p.grad(p.x)[0].requires_grad)
            return state

        def finish(self, p, state):
            recorded.append(p.clean.requires_grad)
            return state["x"]

    x = np.zeros((2, 4), np.float32)
    model = armour.wrap(net)
    y = model(x).argmax(1)
    for traceable in (True, False):
        armour.run_attack(Look(traceable=traceable), model, x, y, eps=0.01)
    assert recorded
    assert not any(recorded)
    assert model(x).requires_grad  # a plain call is the user's to differentiate
