"""scikit-learn estimators and functions over arrays: the best that they answer, in rows that are counted exactly."""

import random

import numpy as np
import pytest

import armour_core as armour
from armour_core import ConfigError, DataError, registry

pytest.importorskip("sklearn")

from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

RNG = np.random.default_rng(0)
X = RNG.random((60, 4, 4))
FLAT = X.reshape(60, 16)
Y3, Y2 = np.arange(60) % 3, np.arange(60) % 2
NAMES = np.array(["cat", "dog", "eel"])


@pytest.mark.parametrize(
    ("estimator", "y", "outputs", "method", "classes"),
    [
        (LogisticRegression(), Y3, "probabilities", "predict_proba", 3),
        (RandomForestClassifier(5, random_state=0), Y2, "probabilities", "predict_proba", 2),
        (make_pipeline(StandardScaler(), LogisticRegression()), Y3, "probabilities", "predict_proba", 3),
        (SVC(random_state=0), Y3, "scores", "decision_function", 3),
        (LinearSVC(random_state=0), Y2, "scores", "decision_function", 2),
        (Perceptron(random_state=0), NAMES[Y3], "scores", "decision_function", 3),
    ],
)
def test_an_estimator_answers_the_best_it_can(estimator, y, outputs, method, classes):
    estimator.fit(FLAT, y)
    model = armour.wrap(estimator)
    assert (model.outputs, model.num_classes, model.backend.name) == (outputs, classes, "numpy")
    assert not model.local
    assert model.capabilities == {"scores", "labels"}
    notes = model.examine(model.admit(X))  # (N, H, W): flattened for the estimator
    answers = model(X)
    assert answers.shape == (60, classes)
    places = {name: place for place, name in enumerate(estimator.classes_)}
    np.testing.assert_array_equal(answers.argmax(1), [places[name] for name in estimator.predict(FLAT)])
    given = getattr(estimator, method)(FLAT)
    np.testing.assert_array_equal(answers if given.ndim == 2 else answers[:, 1] - answers[:, 0], given)
    assert notes == (("labels are places in classes_: cat, dog, eel",) if y.dtype.kind == "U" else ())


def test_labels_are_places_in_classes():
    model = armour.wrap(Perceptron(random_state=0).fit(FLAT, NAMES[Y3]), outputs="labels")
    assert model.capabilities == {"labels"}
    labels = model(X)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(NAMES[labels], model.native.predict(FLAT))
    model.examine(model.admit(X))
    assert model.num_classes == 3


def test_what_was_asked_for_must_be_offered():
    perceptron = Perceptron().fit(FLAT, Y3)
    assert armour.wrap(LogisticRegression().fit(FLAT, Y3), outputs="scores").outputs == "scores"
    with pytest.raises(ConfigError, match=r"outputs='probabilities'.*Perceptron offers decision_function, predict"):
        armour.wrap(perceptron, outputs="probabilities")
    with pytest.raises(ConfigError, match=r"not fitted. Call fit\(x, y\) first"):
        armour.wrap(Perceptron())
    several = MultiOutputClassifier(LogisticRegression()).fit(FLAT, np.stack([Y2, Y3], axis=1))
    with pytest.raises(ConfigError, match="several outputs"):
        armour.wrap(several)
    ovo = armour.wrap(SVC(decision_function_shape="ovo").fit(FLAT, np.arange(60) % 4))
    with pytest.raises(ConfigError, match=r"6 columns for 4 classes.*one against one"):
        ovo(X)


def test_regressors_outlier_detectors_and_clusterings_give_one_number():
    for estimator in (
        LinearRegression().fit(FLAT, FLAT[:, 0]),
        IsolationForest(n_estimators=5, random_state=0).fit(FLAT),
    ):
        model = armour.wrap(estimator)
        model.examine(model.admit(X))
        assert (model.outputs, model.num_classes, model.capabilities) == ("scores", None, {"scores"})
        assert model(X).shape == (60,)
    clusters = armour.wrap(KMeans(3, n_init=1, random_state=0).fit(FLAT), outputs="labels")
    np.testing.assert_array_equal(clusters(X), clusters.native.predict(FLAT))


def test_a_fingerprint_is_what_was_learned():
    def forest(seed, x=FLAT):
        return armour.wrap(RandomForestClassifier(3, random_state=seed).fit(x, Y3)).fingerprint()

    assert forest(0) == forest(0)
    assert forest(0) != forest(1)
    assert forest(0) != forest(0, FLAT[::-1])
    pipeline = [make_pipeline(StandardScaler(), LogisticRegression()).fit(FLAT, y) for y in (Y3, Y3, Y2)]
    prints = [armour.wrap(p).fingerprint() for p in pipeline]
    assert prints[0] == prints[1] != prints[2]


def test_estimators_belong_to_numpy_alone():
    hooks = registry.registry()._calls("armour_infer_backend", {"net": LogisticRegression()})
    assert {answer for answer in (ask() for _, ask in hooks) if answer} == {"numpy"}
    model = armour.wrap(LogisticRegression().fit(FLAT, Y3).predict_proba)  # a bound method is a function
    with pytest.raises(DataError, match=r"outputs='probabilities'"):
        model.examine(model.admit(FLAT))


def test_rows_sent_to_a_function_are_the_rows_asked():
    sent = []
    model = armour.wrap(lambda x: sent.append(len(x)) or x.reshape(len(x), -1)[:, :3])
    for n in (5, 1, 7):
        model(X[:n])
    assert sent == [5, 1, 7]


def test_the_callers_generators_are_as_they_were():
    def noisy(x):
        return np.random.normal(size=(len(x), 3)) + random.random()

    state = random.getstate(), repr(np.random.get_state())
    model = armour.wrap(noisy)
    assert any("draws from numpy.random" in note for note in model.examine(model.admit(X)))
    assert not np.array_equal(model(X), model(X))
    assert (random.getstate(), repr(np.random.get_state())) == state


def test_what_a_function_returns_is_made_an_array():
    assert armour.wrap(lambda x: x.reshape(len(x), -1)[:, :3].tolist())(X).shape == (60, 3)
    assert armour.wrap(lambda x: (x[:, 0], x), output=1, outputs="scores")(X).shape == X.shape

    class Stubborn:
        def __array__(self, *_, **__):
            raise RuntimeError("requires grad")

    with pytest.raises(DataError, match=r"Stubborn, which is no array: requires grad\n.*wrap\(net, backend='torch'\)"):
        armour.wrap(lambda x: Stubborn())(X)
