"""Which attacks the probe chooses, what it shows, and what it claims."""

import json

import numpy as np
import pytest
from armour_plugins.probes.robustness import Robustness

import armour_core as armour
from armour_core import ConfigError
from armour_core.data import Dataset
from armour_core.engine.scan import Context
from armour_core.threat import Threat
from tests.known import engine, gradients, linear

__all__ = ["engine", "gradients"]

N, CLASSES = 40, 4


def images(engine, shape, seed=0, **options):
    """Random images and a linear model of them, its weights small enough that some withstand and some do not."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (N, *shape)).astype(np.float32)
    weights = rng.standard_normal((int(np.prod(shape)), CLASSES)).astype(np.float32)
    bias = -weights.sum(0) / 2
    y = (x.reshape(N, -1) @ weights + bias).argmax(1)
    return linear(engine.backend, weights, bias, bounds=(0, 1), **options), Dataset(x=x, y=y)


def asked(threat="linf:0.06", **settings):
    return Context(threat=Threat.parse(threat), **settings)


def test_gradients_and_scores_allow_pgd_and_square(gradients):
    model, data = images(gradients, (6, 6))
    ctx = asked(reproduce="armour scan ...")
    worst, clean = Robustness(steps=10, queries=20).run(model, data, ctx)
    assert [plugin["id"] for plugin in ctx.plugins] == ["attack:pgd", "attack:square", "attack:gaussian_noise"]
    assert ctx.plugins[0]["config"]["steps"] == 10
    assert ctx.plugins[1]["config"]["steps"] == 20
    assert {measure.metric for measure in worst.measures} == {
        "robust_accuracy", "attack_success_rate", "clean_accuracy",
        "pgd.robust_accuracy", "square.robust_accuracy", "gaussian_noise.robust_accuracy",
    }  # fmt: skip
    assert clean.value == 1.0
    assert worst.reproduce == "armour scan ..."
    assert worst.tags
    roles = {series.name: series.role for series in worst.evidence.curves[0].series}
    assert roles == {"worst case": "worst", "pgd": "attack", "square": "attack", "gaussian_noise": "baseline"}


def test_without_gradients_square_alone_attacks(engine):
    if engine.autodiff:
        pytest.skip("this backend has gradients")
    model, data = images(engine, (6, 6))
    ctx = asked()
    Robustness(queries=20).run(model, data, ctx)
    assert [plugin["id"] for plugin in ctx.plugins] == ["attack:square", "attack:gaussian_noise"]


def test_labels_alone_allow_hopskipjump_within_its_queries(engine):
    weights = np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)
    model = engine.labels(weights)
    x = np.random.default_rng(2).uniform(-1, 1, (12, 5)).astype(np.float32)
    ctx = asked("l2:0.5")
    worst, *_ = Robustness(label_queries=150).run(model, Dataset(x=x, y=(x @ weights).argmax(1)), ctx)
    assert [plugin["id"] for plugin in ctx.plugins] == ["attack:hopskipjump", "attack:gaussian_noise"]
    assert worst.value < 1
    assert worst.cost["forward"] <= 2 * 150 * 12
    assert all(sample.before.confidence is None for sample in worst.evidence.samples)


def test_attacks_can_be_named(gradients):
    model, data = images(gradients, (6, 6))
    probe = Robustness(attacks=("fgsm",))
    assert "fgsm.robust_accuracy" in probe.metrics
    worst, _ = probe.run(model, data, asked())
    assert [measure.metric for measure in worst.measures][-1] == "fgsm.robust_accuracy"


def test_a_norm_without_an_attack_is_refused_with_what_there_is(engine):
    model, data = images(engine, (6, 6))
    with pytest.raises(ConfigError, match="works in norm l0"):
        Robustness().run(model, data, asked("l0:3"))


@pytest.mark.parametrize("shape", [(6, 6), (6, 6, 1), (3, 6, 6), (6, 6, 3)])
def test_what_is_pictured_was_flipped_by_a_change_within_eps(engine, shape):
    model, data = images(engine, shape)
    worst, _ = Robustness(steps=10, queries=40, pictures=5).run(model, data, asked("linf:0.2"))
    samples = worst.evidence.samples
    assert 0 < len(samples) <= 5
    assert len({sample.label.label for sample in samples}) == min(len(samples), len(np.unique(data.y)))
    for sample in samples:
        assert sample.label.label == sample.before.label == data.y[sample.index]
        assert sample.after.label != sample.label.label
        assert 0 < sample.after.confidence <= 1
        assert float(sample.size.split()[1]) <= 0.2 * 1.001
        assert [picture.role for picture in sample.pictures] == ["original", "perturbation", "adversarial"]
        assert all(picture.alt for picture in sample.pictures)


def test_vectors_are_shown_by_the_entries_that_changed_most(engine):
    model, data = images(engine, (20,))
    worst, _ = Robustness(steps=10, queries=40).run(model, data, asked("linf:0.2"))
    sample = worst.evidence.samples[0]
    assert not sample.pictures
    assert 0 < len(sample.features) <= 8
    sizes = [abs(feature.after - feature.before) for feature in sample.features]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 0.2 * 1.001


def test_without_pictures_no_data_is_in_the_report(engine):
    model, data = images(engine, (6, 6))
    report = armour.scan(model, data, threat="linf:0.2", probes=[Robustness(queries=40, steps=5, pictures=0)])
    assert not report.findings[0].evidence.samples
    assert "data:image" not in json.dumps(report.to_dict())


def test_a_model_that_fails_once_the_numbers_are_there_does_not_cost_them(engine, monkeypatch):
    def failing(*_):
        raise RuntimeError("the endpoint hung up")

    monkeypatch.setattr("armour_plugins.probes.robustness.flipped_samples", failing)
    model, data = images(engine, (6, 6))
    worst, _ = Robustness(queries=20, steps=5).run(model, data, asked("linf:0.2"))
    assert worst.status == "confirmed"
    assert worst.evidence.samples == ()
    assert worst.evidence.samples_note == "No samples are shown: RuntimeError: the endpoint hung up"


def test_samples_drawn_from_more_keep_their_places(engine):
    model, data = images(engine, (6, 6))
    part = data.take(np.arange(1, N, 2))
    worst, _ = Robustness(steps=10, queries=40).run(model, part, asked("linf:0.2"))
    for sample in worst.evidence.samples:
        assert sample.index % 2 == 1
        assert sample.label.label == data.y[sample.index]


def test_class_names_are_shown_where_there_are_any(engine):
    model, data = images(engine, (6, 6))
    named = Dataset(x=data.x, y=data.y, classes=("ant", "bee", "cat", "dog"))
    worst, _ = Robustness(steps=10, queries=40).run(model, named, asked("linf:0.2"))
    sample = worst.evidence.samples[0]
    assert sample.label.text == named.classes[sample.label.label]
    assert sample.after.text == named.classes[sample.after.label]


def test_a_model_no_better_than_one_constant_answer_is_remarked_on(engine):
    model, data = images(engine, (6, 6))
    skewed = Dataset(x=np.repeat(data.x[:1], 40, axis=0), y=np.full(40, (data.y[0] + 1) % CLASSES))
    mixed = Dataset(x=np.concatenate([skewed.x, data.x[1:5]]), y=np.concatenate([skewed.y, data.y[1:5]]))
    _, clean = Robustness(queries=5, steps=5).run(model, mixed, asked())
    assert "check labels, preprocessing" in clean.summary
    _, fine = Robustness(queries=5, steps=5).run(model, data, asked())
    assert "check labels" not in fine.summary


def test_what_withstands_is_claimed_no_further_than_the_interval_allows(engine):
    model, data = images(engine, (6, 6))
    worst, _ = Robustness(queries=10, steps=5).run(model, data, asked("linf:1e-7"))
    assert worst.status == "not_found"
    high = worst.measures[1].interval[1]
    assert f"up to {high:.1%}" in worst.why
    assert not worst.remedies
    assert not worst.evidence.samples


def test_remedies_that_are_not_installed_say_so(engine):
    model, data = images(engine, (6, 6))
    worst, _ = Robustness(queries=40, steps=5).run(model, data, asked("linf:0.2"))
    installed = {spec.id for kind in ("defense", "detector") for spec in armour.list_plugins(kind)}
    assert worst.remedies
    assert all(remedy.available is (remedy.plugin in installed) for remedy in worst.remedies)


def test_the_claim_is_the_number(engine):
    model, data = images(engine, (6, 6))
    worst, _ = Robustness(queries=40, steps=5).run(model, data, asked("linf:0.2"))
    robust, flipped = worst.measures[:2]
    assert robust.n == N
    assert flipped.n == N
    assert robust.value == pytest.approx(1 - flipped.value)
    assert f"{round(robust.value * N)} of {N}" in worst.summary
    assert f"{robust.value:.1%}" in worst.summary
