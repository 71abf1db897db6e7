"""Each attack for itself, and the worst case per sample over all of them."""

import json

import numpy as np
import pytest
from attrs import frozen
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour
from armour_core import ConfigError, ContractError, DataError, MissingCapability, UnknownPlugin, registry
from armour_core.engine.evaluate import unit_seed
from armour_core.intervals import wilson


@frozen(kw_only=True)
class Idle:
    """Gives back what it was given."""

    norm: str = "linf"

    def run(self, problem, rng):
        return problem.x


@frozen(kw_only=True)
class Escapes(Idle):
    """Leaves the ball: a broken contract."""

    def run(self, problem, rng):
        return problem.x + 3 * problem.eps


@frozen(kw_only=True)
class Raises(Idle):
    """A plugin with a defect."""

    def run(self, problem, rng):
        raise KeyError("a defect")


def between(distance, shares=(0.25, 0.5, 0.75)):
    """Sizes that lie at least 5 % from every sample's distance to the boundary, near these shares of them."""
    ordered = np.sort(distance)
    wide = [at for at in range(len(ordered) - 1) if ordered[at + 1] > 1.11 * ordered[at]]
    near = [min(wide, key=lambda at: abs(at - share * len(ordered))) for share in shares]
    return [float(np.sqrt(ordered[at] * ordered[at + 1])) for at in dict.fromkeys(near)]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_linear_model_has_exactly_the_robust_accuracy_that_theory_gives(gradients, norm):
    case = gradients.two_class()
    y = case.y.copy()
    y[:6] = 1 - y[:6]  # six that are wrong from the start
    eps = between(case.distance[norm])
    assert len(eps) >= 2
    pgd = armour.create("attack", "pgd", norm=norm, steps=100)
    evaluation = armour.evaluate(case.model, case.x, y, attacks=[pgd, "gaussian_noise"], eps=eps)
    right = np.arange(len(y)) >= 6
    truth = np.stack([right & (case.distance[norm] > size) for size in eps])
    assert_array_equal(evaluation.robust(evaluation.success), truth)
    assert_allclose(evaluation.robust_accuracy, truth.mean(axis=1))
    for interval, robust in zip(evaluation.robust_accuracy_interval, truth):
        assert_allclose(interval, wilson(int(robust.sum()), len(y)))
    assert evaluation.clean_accuracy == pytest.approx(42 / 48)
    assert evaluation.flipped_measure(0).n == 42
    assert evaluation.robust_measure(0).n == 48


def test_the_worst_case_is_the_union_and_each_attack_is_as_if_it_ran_alone(engine):
    case = engine.two_class()
    names = ["pgd", "square", "gaussian_noise"] if engine.autodiff else ["square", "gaussian_noise"]
    attacks = [
        armour.create("attack", name, norm="linf", **({"steps": 20} if name != "gaussian_noise" else {}))
        for name in names
    ]
    eps = between(case.distance["linf"])
    evaluation = armour.evaluate(case.model, case.x, case.y, attacks=attacks, eps=eps, seed=7)
    assert list(evaluation.results) == names
    union = np.zeros_like(evaluation.success)
    for name, attack in zip(names, attacks):
        alone = armour.run_attack(
            attack, case.model, case.x, case.y, eps=eps, seed=unit_seed(7, f"attack:{name}"), keep="none"
        )
        assert_array_equal(evaluation.results[name].success, alone.success)
        assert_array_equal(evaluation.results[name].queries.forward, alone.queries.forward)
        union |= alone.success
    assert_array_equal(evaluation.success, union)
    assert_array_equal(evaluation.distance, np.min([r.distance for r in evaluation.results.values()], axis=0))
    assert (np.diff(evaluation.robust_accuracy) <= 0).all()
    for accuracy in evaluation.per_attack.values():
        assert (accuracy >= evaluation.robust_accuracy).all()


def test_another_attack_and_another_order_change_nobodys_numbers(engine):
    case = engine.two_class()
    eps = between(case.distance["linf"])[:2]
    square = armour.create("attack", "square", norm="linf", steps=15)
    few = armour.evaluate(case.model, case.x, case.y, attacks=[square], eps=eps)
    more = armour.evaluate(case.model, case.x, case.y, attacks=["gaussian_noise", Idle(), square], eps=eps)
    assert_array_equal(few.results["square"].success, more.results["square"].success)
    assert_array_equal(few.results["square"].distance, more.results["square"].distance)


def test_eps_are_answered_in_the_order_in_which_they_were_asked(engine):
    case = engine.two_class()
    low, high = between(case.distance["linf"])[:2]
    up = armour.evaluate(case.model, case.x, case.y, attacks=["gaussian_noise"], eps=[low, high])
    down = armour.evaluate(case.model, case.x, case.y, attacks=["gaussian_noise"], eps=[high, low])
    assert_array_equal(up.success, down.success[::-1])
    assert up.report.findings[0].value == down.report.findings[0].value


@pytest.mark.parametrize(("broken", "kind"), [(Escapes(), ContractError), (Raises(), KeyError)])
def test_a_broken_attack_costs_its_own_numbers_only(engine, broken, kind, monkeypatch):
    case = engine.two_class()
    eps = between(case.distance["linf"])[:1]
    alone = armour.evaluate(case.model, case.x, case.y, attacks=["gaussian_noise"], eps=eps)
    both = armour.evaluate(case.model, case.x, case.y, attacks=[broken, "gaussian_noise"], eps=eps)
    assert_array_equal(both.success, alone.success)
    assert isinstance(both.failures[type(broken).__name__], kind)
    entry = next(finding for finding in both.findings if finding.status == "error")
    assert type(broken).__name__ in entry.title
    assert kind.__name__ in entry.summary
    assert not both.passed
    assert "did not finish" in both.findings[0].tried
    monkeypatch.setenv("ARMOUR_STRICT", "1")
    with pytest.raises(kind):
        armour.evaluate(case.model, case.x, case.y, attacks=[broken, "gaussian_noise"], eps=eps)


def test_the_first_error_is_raised_where_no_attack_finished(engine):
    case = engine.two_class()
    with pytest.raises(ContractError, match="Escapes"):
        armour.evaluate(case.model, case.x, case.y, attacks=[Escapes(), Raises()], eps=0.1)


def test_what_a_model_cannot_give_fails_one_attack_and_not_the_others(engine):
    model = engine.labels(np.eye(4, 2))
    x = np.random.default_rng(0).uniform(-1, 1, (20, 4)).astype(np.float32)
    y = (x[:, 1] > x[:, 0]).astype(int)
    evaluation = armour.evaluate(model, x, y, attacks=["pgd", "gaussian_noise"], eps=0.3)
    assert isinstance(evaluation.failures["pgd"], MissingCapability)
    assert list(evaluation.results) == ["gaussian_noise"]


def test_two_configurations_of_one_attack_are_told_apart(engine):
    case = engine.two_class()
    few, many = (armour.create("attack", "gaussian_noise", norm="linf", steps=steps) for steps in (1, 30))
    evaluation = armour.evaluate(case.model, case.x, case.y, attacks=[few, many], eps=0.2)
    assert list(evaluation.results) == ["gaussian_noise(norm=linf, steps=1)", "gaussian_noise(norm=linf, steps=30)"]
    with pytest.raises(ConfigError, match="given twice"):
        armour.evaluate(case.model, case.x, case.y, attacks=[few, few], eps=0.2)


def test_a_minimum_norm_attack_answers_without_eps(gradients):
    case = gradients.two_class(n=12)
    cw = armour.create("attack", "cw", steps=100, rounds=3)
    evaluation = armour.evaluate(case.model, case.x, case.y, attacks=[cw])
    assert evaluation.eps is None
    assert evaluation.success.shape == (1, 12)
    assert evaluation.robust_accuracy[0] == 0
    assert (evaluation.distance >= 0.999 * case.distance["l2"]).all()
    curve = evaluation.findings[0].evidence.curves[0]
    assert curve.series[0].y[0] == 1
    assert curve.series[0].y[-1] == 0


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"attacks": []}, ConfigError, "at least one"),
        ({"attacks": "pgd"}, ConfigError, "list"),
        ({"attacks": ["pgdd"]}, UnknownPlugin, "pgd"),
        ({"attacks": [Idle]}, ConfigError, "is a class"),
        ({"attacks": [Idle(norm="l2"), Idle()]}, ConfigError, "one norm"),
        ({"attacks": [Idle(norm="l2")], "norm": "linf"}, ConfigError, "one norm"),
        ({"norm": "l7"}, ConfigError, "linf, l2, l1, l0"),
        ({"attacks": ["cw"], "norm": "linf"}, ConfigError, "l2"),
        ({"eps": []}, ConfigError, "at least one number"),
        ({"eps": float("nan")}, ConfigError, "finite"),
        ({"eps": -0.1}, ConfigError, "at least 0"),
        ({"eps": None}, ConfigError, "needs eps"),
        ({"seed": 0.5}, ConfigError, "seed"),
        ({"batch_size": 0}, ConfigError, "batch_size"),
        ({"y": np.eye(2)[np.zeros(48, int)]}, DataError, "one-hot"),
        ({"y": np.full(48, 9)}, DataError, "no class for"),
        ({"x": np.full((48, 10), 99.0, np.float32)}, DataError, "bounds"),
        ({"x": np.full((48, 10), np.nan, np.float32)}, DataError, "NaN"),
        ({"model": lambda x: x}, ConfigError, "wrap it first"),
    ],
)
def test_bad_input_is_refused_before_any_work(change, error, says):
    from tests.known import two_class

    backend = pytest.importorskip("armour_backends.numpy.backend").backend_for("cpu")
    case = two_class(backend)
    given = {"model": case.model, "x": case.x, "y": case.y, "attacks": ["gaussian_noise"], "eps": 0.1} | change
    model, x, y = (given.pop(name) for name in ("model", "x", "y"))
    with pytest.raises(error, match=says):
        armour.evaluate(model, x, y, **given)


def test_the_report_says_what_was_asked_and_found_and_is_plain_json(gradients, tmp_path):
    case = gradients.two_class()
    eps = between(case.distance["linf"])
    square = armour.create("attack", "square", norm="linf", steps=20)
    evaluation = armour.evaluate(case.model, case.x, case.y, attacks=["pgd", square], eps=eps, seed=3)
    plain = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    worst = plain["findings"][0]
    assert worst["metric"] == "robust_accuracy"
    assert worst["value"] == evaluation.robust_accuracy[-1]
    assert worst["interval"] == list(wilson(int(evaluation.robust(evaluation.success)[-1].sum()), 48))
    assert {plugin["id"]: plugin["seed"] for plugin in plain["plugins"]} == {
        "attack:pgd": unit_seed(3, "attack:pgd"),
        "attack:square": unit_seed(3, "attack:square"),
    }
    assert plain["results"]["pgd"]["n"] == 48
    curve = evaluation.findings[0].evidence.curves[0]
    assert curve.x == (0.0, *eps)
    assert curve.series[0].y[1:] == tuple(evaluation.robust_accuracy)
    assert curve.series[0].y[0] == evaluation.clean_accuracy
    for name in ("report.json", "report.html"):
        assert evaluation.save(tmp_path / name).stat().st_size > 1000
    assert "worst case" in repr(evaluation)


@pytest.fixture
def blind():
    """A registered attack that claims to see gradients and does nothing, and one that claims to see nothing."""
    registry.register(Idle, kind="attack", name="test_idle", tags={"white-box", "linf"})
    yield Idle()
    registry.refresh()


def test_gradients_that_lead_nowhere_are_remarked_on(engine, blind):
    case = engine.two_class()
    square = armour.create("attack", "square", norm="linf", steps=40)
    eps = float(np.quantile(case.distance["linf"], 0.9))
    evaluation = armour.evaluate(case.model, case.x, case.y, attacks=[blind, square], eps=eps)
    assert any("gradients may be masked" in note for note in evaluation.findings[0].evidence.notes)
    without = armour.evaluate(case.model, case.x, case.y, attacks=[square], eps=eps)
    assert not without.findings[0].evidence.notes


def test_severity_follows_the_rule_that_the_report_quotes(engine):
    case = engine.two_class()
    far = 2.5 * float(case.distance["linf"].max())
    square = armour.create("attack", "square", norm="linf", steps=40)
    finding = armour.evaluate(case.model, case.x, case.y, attacks=[square], eps=[far / 2, far]).findings[0]
    assert (finding.severity, finding.status) == ("critical", "confirmed")
    assert "critical from 50%" in finding.rule
    assert finding.because
    none = armour.evaluate(case.model, case.x, case.y, attacks=[Idle()], eps=far).findings[0]
    assert none.status == "not_found"
    assert "none of 48" in none.title


def test_progress_names_the_attack_and_ends_at_the_end(engine):
    case = engine.two_class()
    told = []
    armour.evaluate(
        case.model, case.x, case.y, attacks=["gaussian_noise", Idle()], eps=0.1, batch_size=20,
        progress=lambda *what: told.append(what),
    )  # fmt: skip
    assert told[0][1:] == (20, 48)
    assert "(1 of 2)" in told[0][0]
    assert "(2 of 2)" in told[-1][0]
    assert all(done <= total for _, done, total in told)


def test_nothing_right_leaves_nothing_to_attack(engine):
    case = engine.two_class()
    evaluation = armour.evaluate(case.model, case.x, 1 - case.y, attacks=["gaussian_noise"], eps=0.1)
    assert evaluation.clean_accuracy == evaluation.robust_accuracy[0] == 0
    assert evaluation.findings[0].title.startswith("No input was classified correctly")
    assert evaluation.findings[1].title == "Unchanged, none of the inputs are classified correctly"
    json.dumps(evaluation.to_dict(), allow_nan=False)
