"""TensorFlow's networks, each kind of them: recognised, answered from with training=False, and left as they were."""

import random
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import keras  # noqa: E402

import armour_core as armour  # noqa: E402
from armour_core import ConfigError, DataError, registry  # noqa: E402

if keras.backend.backend() != "tensorflow":
    pytest.skip("Keras computes with another framework here", allow_module_level=True)

X = np.random.default_rng(0).random((20, 8, 8, 3)).astype(np.float32)
L = keras.layers


def small(seed=0):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            L.Conv2D(4, 3, activation="relu"),
            L.BatchNormalization(),
            L.Dropout(0.5),
            L.Flatten(),
            L.Dense(5),
        ]
    )
    net.layers[1].moving_mean.assign([0.1, 0.2, 0.3, 0.4])
    return net


class Affine(tf.Module):
    """A module without Keras: one trained variable, one that is not."""

    def __init__(self, width=5):
        super().__init__()
        self.w = tf.Variable(tf.random.stateless_normal((192, width), (1, 2)))
        self.calls = tf.Variable(0, trainable=False, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
    def __call__(self, x):
        return tf.reshape(x, (-1, 192)) @ self.w


def variables(net):
    return [np.asarray(v).tobytes() for v in net.variables]


def snapshot(net):
    """Everything a call could disturb, as bytes."""
    return {
        "variables": variables(net),
        "trainable": [v.trainable for v in net.variables],
        "layers": [layer.trainable for layer in net._flatten_layers()] if isinstance(net, keras.Layer) else None,
        "calls": [set(vars(layer)) for layer in net._flatten_layers()] if isinstance(net, keras.Layer) else None,
        "numpy": repr(np.random.get_state()),
        "python": random.getstate(),
    }


def asked_of_all(net):
    """The names of the backends that claim this object, whoever is asked first."""
    hooks = registry.registry()._calls("armour_infer_backend", {"net": net})
    return {answer for answer in (ask() for _, ask in hooks) if answer}


def gradient(model, x):
    with model.running():
        return model.backend.value_and_grad(lambda z: (tf.reduce_sum(model.forward(z)), ()))(model.admit(x))[1].numpy()


# ---- the table: what is found and how it is treated


def sequential(path):
    net = small()
    return net, net(X, training=False)


def functional(path):
    image = keras.Input((8, 8, 3))
    shared = L.Dense(4)
    z = L.Add()([shared(L.Flatten()(image)), shared(L.Flatten()(image * 2))])
    net = keras.Model(image, L.Dense(5)(z))
    return net, net(X, training=False)


def subclassed(path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner, self.drop, self.head = small(), L.Dropout(0.5), L.Dense(5)

        def call(self, x):  # takes no `training`
            return self.head(self.drop(self.inner(x)))

    net = Net()
    return net, net(X, training=False)


def layer(path):
    net = keras.Sequential([L.Flatten(), L.Dense(5)])
    return net, net(X)


def module(path):
    net = Affine()
    return net, net(X)


def function(path):
    return tf.function(lambda x: NET(x)), NET(X)


def concrete(path):
    return tf.function(lambda x: NET(x)).get_concrete_function(tf.TensorSpec([None, 8, 8, 3])), NET(X)


def saved_module(path):
    net = Affine()
    tf.saved_model.save(net, str(path))
    return tf.saved_model.load(str(path)), net(X)


def exported(path):
    net = small()
    net.export(str(path), verbose=False)
    return tf.saved_model.load(str(path)), net(X, training=False)


def saved_keras(path):
    net = small()
    tf.saved_model.save(net, str(path))
    return tf.saved_model.load(str(path)), net(X, training=False)


KINDS = [sequential, functional, subclassed, layer, module, function, concrete, saved_module, exported, saved_keras]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_answers_as_the_network_does(kind, tmp_path):
    net, want = kind(tmp_path)
    assert asked_of_all(net) == {"tensorflow"}
    model = armour.wrap(net)
    before = variables(net) if hasattr(net, "variables") else None
    assert model.examine(model.admit(X)) == ()
    np.testing.assert_allclose(model(X), want, rtol=1e-5, atol=1e-5)
    assert model.num_classes == 5
    assert model.local
    assert model.capabilities == {"autodiff", "scores", "labels"}
    assert abs(gradient(model, X)).sum() > 0
    compiled = model.backend.compile(model.forward, model)
    with model.running():
        np.testing.assert_allclose(compiled(model.admit(X)), want, rtol=1e-4, atol=1e-5)
    if before is not None:
        assert variables(net) == before
        assert len(before) > 0 or kind is saved_keras
    assert (model.fingerprint() is None) == (kind in (function, concrete))


def test_a_saved_model_says_what_it_needs(tmp_path):
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3]), tf.TensorSpec([None, 3])])
        def __call__(self, a, b):
            return a + 10 * b

    tf.saved_model.save(Two(), str(tmp_path / "two"))
    two = tf.saved_model.load(str(tmp_path / "two"))
    with pytest.raises(ConfigError, match=r"has 2 inputs: a, b. Say which one x is: wrap\(net, input=...\)"):
        armour.wrap(two)
    with pytest.raises(ConfigError, match=r"input='c'.*has the inputs a, b"):
        armour.wrap(two, input="c")
    x = X[:, 0, 0]
    fixed = armour.wrap(two, forward=lambda net, x: net.signatures["serving_default"](a=x, b=0 * x))
    np.testing.assert_array_equal(fixed(x), x)

    class Bare(tf.Module):
        pass

    tf.saved_model.save(Bare(), str(tmp_path / "bare"))
    with pytest.raises(ConfigError, match=r"no signatures and is not callable. Export it with keras.Model.export"):
        armour.wrap(tf.saved_model.load(str(tmp_path / "bare")))
    with pytest.raises(ConfigError, match=r"is not callable. Say how it is called: wrap\(net, forward="):
        armour.wrap(Bare())


def test_tf_keras_is_refused_with_the_conversion():
    old = type("Model", (), {"__module__": "tf_keras.src.engine.training"})()
    with pytest.raises(ConfigError, match=r"Keras 2, which is not supported.\n  Convert it to Keras 3.*set_weights"):
        armour.wrap(old)


# ---- functions


NET = Affine()
BIASED = small()


def test_functions_belong_to_tensorflow_by_what_they_refer_to():
    def through(x):
        return BIASED(x, training=False)

    assert asked_of_all(through) == {"tensorflow"}
    assert asked_of_all(lambda x: tf.reshape(x, (-1, 192))) == {"tensorflow"}
    assert asked_of_all(BIASED.predict) == {"numpy"}
    assert asked_of_all(lambda x: NET(tf.constant(x)).numpy()) == {"numpy"}
    model = armour.wrap(through)
    assert model.examine(model.admit(X.astype(np.float64))) == ()
    assert model.dtype == tf.float32  # the network's, not the data's
    assert abs(gradient(model, X)).sum() > 0
    predicted = armour.wrap(lambda x: BIASED.predict(x, verbose=0))
    assert not predicted.local
    np.testing.assert_allclose(predicted(X), model(X), rtol=1e-4, atol=1e-5)


# ---- what cannot be traced


class Branching(keras.Model):
    """A Python `if` on a tensor: fine eagerly, not in a graph."""

    def __init__(self):
        super().__init__()
        self.flat, self.head = L.Flatten(), L.Dense(5)

    def call(self, x):
        y = self.head(self.flat(x))
        if tf.reduce_mean(x) > 0.9:
            y = y * 2
        return y


def test_a_keras_model_with_an_if_on_a_tensor_is_run_eagerly():
    model = armour.wrap(Branching())
    assert model.local
    notes = model.examine(model.admit(X))
    assert len(notes) == 1
    assert "cannot be traced, so it is run eagerly, which is slower: OperatorNotAllowedInGraphError" in notes[0]
    assert not model.local
    assert model(X).shape == (20, 5)
    assert abs(gradient(model, X)).sum() > 0


def test_a_plain_module_with_an_if_is_rewritten():
    class Plain(Affine):
        def __call__(self, x):
            y = tf.reshape(x, (-1, 192)) @ self.w
            if tf.reduce_mean(x) > 0.9:
                y = y * 2
            return y

    net = Plain()
    model = armour.wrap(net)
    assert model.examine(model.admit(X)) == ()
    assert model.local
    compiled = model.backend.compile(model.forward)
    for x in (X, X * 0 + 0.95):
        with model.running():
            np.testing.assert_allclose(compiled(model.admit(x)), net(x), rtol=1e-5)


def test_numpy_inside_a_model_is_run_eagerly():
    class Host(keras.Model):
        def call(self, x):
            return tf.constant(np.tanh(x.numpy().reshape(len(x), -1)[:, :5]))

    model = armour.wrap(Host())
    assert any("run eagerly" in note for note in model.examine(model.admit(X)))
    assert model(X).shape == (20, 5)


# ---- as it was


@pytest.mark.parametrize("frozen", [False, True])
def test_the_network_is_as_it_was(frozen):
    net = small()
    net.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    net.trainable = not frozen
    net.layers[0].trainable = False
    before = snapshot(net)
    model = armour.wrap(net, preprocessing=((0.5, 0.4, 0.3), (0.2, 0.2, 0.2)))
    model(X)
    assert model.examine(model.admit(X)) == ()
    gradient(model, X)
    model.fingerprint()
    with model.running(), model.running():
        model.backend.compile(model.forward, model)(model.admit(X))
    assert snapshot(net) == before


def test_the_network_is_as_it_was_after_an_exception():
    class Fails(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = small()

        def call(self, x):
            self.inner.layers[1].moving_mean.assign_add([1.0, 1.0, 1.0, 1.0])
            raise KeyError("in the user's call")

    net = Fails()
    before = snapshot(net)
    model = armour.wrap(net)
    for _ in range(2):
        with pytest.raises(KeyError, match="in the user's call"):
            model(X)
        with pytest.raises(DataError, match=r"It says: KeyError: .*in the user's call"):
            model.examine(model.admit(X))
    after = snapshot(net)
    assert after["variables"] == before["variables"]


class HardCoded(keras.Model):
    """training=True written into the call."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.flat, self.head = L.BatchNormalization(), L.Dropout(0.5), L.Flatten(), L.Dense(5)

    def call(self, x):
        return self.head(self.flat(self.drop(self.norm(x, training=True), training=True)))


def test_training_that_is_hard_coded_is_put_back_and_named():
    net = HardCoded()
    net(X, training=False)
    before = snapshot(net)
    model = armour.wrap(net)
    notes = model.examine(model.admit(X))
    assert any(
        "moving_mean" in note and "put back after each call. A layer is called with training=True" in note
        for note in notes
    )
    assert any("draws from the seed state" in note for note in notes)
    assert model.randomized
    a, b = model(X), model(X)
    assert not np.array_equal(a, b)
    compiled = model.backend.compile(model.forward, model)
    with model.running():
        compiled(model.admit(X))
    assert snapshot(net) == before
    model.reseed(3)
    first = model(X).numpy()
    model.reseed(3)
    np.testing.assert_array_equal(model(X), first)
    assert snapshot(net) == before


def test_a_module_that_counts_its_calls_is_put_back():
    class Counting(Affine):
        def __call__(self, x):
            self.calls.assign_add(1)
            return tf.reshape(x, (-1, 192)) @ self.w

    net = Counting()
    model = armour.wrap(net)
    assert any("changes" in note and "put back" in note for note in model.examine(model.admit(X)))
    model(X)
    assert net.calls.numpy() == 0


def test_the_callers_generators_stay_where_they_were():
    code = """
    import numpy as np, tensorflow as tf
    import armour_core as armour

    class Noisy(tf.Module):
        def __call__(self, x):
            y = tf.reshape(x, (-1, 192))[:, :5]
            return y + tf.random.normal(tf.shape(y)) + tf.random.get_global_generator().normal(tf.shape(y))

    X = np.random.default_rng(0).random((20, 8, 8, 3)).astype("float32")
    def draws(use):
        tf.random.set_seed(1)
        tf.random.get_global_generator()
        if use:
            model = armour.wrap(Noisy())
            notes = model.examine(model.admit(X))
            assert sum("draws from TensorFlow's" in n for n in notes) == 2, notes
            assert not np.array_equal(model(X), model(X))
        state = tf.random.get_global_generator().state.numpy().tolist()
        return state, tf.random.uniform((3,)).numpy().tolist()
    assert draws(False) == draws(True)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_threads_take_turns():
    inside, overlap = [], []

    class Slow(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = small()

        def call(self, x):
            inside.append(1)
            overlap.append(len(inside))
            y = self.inner(x)
            inside.pop()
            return y

    net = Slow()
    models = [armour.wrap(net), armour.wrap(net, bounds=(0, 2))]
    threads = [threading.Thread(target=lambda m=m: [m(X) for _ in range(10)]) for m in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(overlap) == 1


# ---- dtype, device, layout, outputs


def test_data_comes_in_the_networks_dtype():
    double = keras.Sequential([L.Flatten(), L.Dense(5, dtype="float64")])
    double.build((None, 8, 8, 3))
    assert armour.wrap(double).admit(X).dtype == tf.float64
    mixed = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(5, dtype="mixed_float16")])
    model = armour.wrap(mixed)
    assert model.admit(X.astype(np.float16)).dtype == tf.float32
    model.examine(model.admit(X))
    assert armour.wrap(lambda x: tf.reshape(x, (-1, 192))).admit(X.astype(np.float64)).dtype == tf.float64
    unbuilt = armour.wrap(keras.Sequential([L.Flatten(), L.Dense(5)]))
    assert unbuilt.admit(X.astype(np.float64)).dtype == tf.float32


def test_a_device_that_is_not_there_or_not_the_networks_is_refused():
    assert armour.wrap(small(), device="cpu").backend.device == "cpu"
    with pytest.raises(ConfigError, match="no such device here"):
        armour.wrap(small(), device="GPU:3")


def test_the_channel_axis_comes_from_the_data_format():
    odd = np.random.default_rng(0).random((4, 8, 8, 8))
    net = keras.Sequential([keras.Input((8, 8, 8)), L.ReLU(), L.Conv2D(2, 3), L.Flatten()])
    model = armour.wrap(net)
    assert model.examine(model.admit(odd)) == ()
    assert model.channel_axis == 3
    first = armour.wrap(
        keras.Sequential([keras.Input((3, 8, 8)), L.MaxPooling2D(data_format="channels_first"), L.Flatten()])
    )
    first.admit(np.moveaxis(X, -1, 1))
    assert first.channel_axis == 1


def test_preprocessing_is_per_channel_and_in_the_graph():
    mean, std = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.2, 0.3, 0.4], np.float32)
    net = small()
    want = net((X - mean) / std, training=False)
    model = armour.wrap(net, preprocessing=(mean, std))
    compiled = model.backend.compile(model.forward, model)
    with model.running():  # traced before any eager call
        np.testing.assert_allclose(compiled(tf.constant(X)), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model(X), want, rtol=1e-4, atol=1e-5)
    with model.running():
        np.testing.assert_allclose(compiled(tf.constant(X)), want, rtol=1e-4, atol=1e-5)


def test_wrong_order_of_axes_is_named():
    net = keras.Sequential([L.Conv2D(4, 3), L.Flatten(), L.Dense(5)])
    net.build((None, 8, 8, 3))
    model = armour.wrap(net)
    with pytest.raises(
        DataError, match=r"It says: .*\n  It takes channels last \(N, H, W, C\): pass x of shape \(16, 8, 8, 3\)"
    ):
        model.examine(model.admit(np.moveaxis(X, -1, 1)))
    with pytest.raises(DataError, match=r"single image: pass x\[None\]"):
        model(X[0])
    assert model(X).shape == (20, 5)


def test_uint8_tensors_where_bounds_are_0_to_255():
    model = armour.wrap(small(), bounds=(0, 255), preprocessing=(127.5, 127.5))
    assert model.admit(tf.cast(X * 255, tf.uint8)).dtype == tf.float32
    with pytest.raises(DataError, match="x is uint8"):
        armour.wrap(small()).admit(tf.cast(X * 255, tf.uint8))


def test_named_inputs_and_chosen_outputs():
    image, mask = keras.Input((8, 8, 3), name="image"), keras.Input((5,), name="mask")
    logits = L.Dense(5)(L.Flatten()(image))
    two = keras.Model({"image": image}, {"logits": logits, "twice": 2 * logits})
    want = two({"image": X})["logits"]
    np.testing.assert_allclose(armour.wrap(two, input="image")(X), want, rtol=1e-5)
    np.testing.assert_allclose(armour.wrap(two, input="image", output="twice")(X), 2 * want, rtol=1e-5)
    both = keras.Model([image, mask], logits * mask)
    fixed = armour.wrap(both, forward=lambda net, x: net([x, tf.zeros((tf.shape(x)[0], 5))], training=False))
    assert not fixed(X).numpy().any()
    np.testing.assert_allclose(armour.wrap(keras.Model(image, logits), input="image")(X), want, rtol=1e-5)
    with pytest.raises(ConfigError, match=r"takes the inputs image, mask. Fix the others: wrap"):
        armour.wrap(both, input="image")

    class Named(keras.Model):
        def call(self, pixels=None, training=None):
            return two({"image": pixels})["logits"]

    np.testing.assert_allclose(armour.wrap(Named(), input="pixels")(X), want, rtol=1e-5)


def test_softmax_in_the_network_is_noticed():
    model = armour.wrap(keras.Sequential([small(), L.Softmax()]))
    with pytest.raises(DataError, match="outputs='probabilities'"):
        model.examine(model.admit(X))
    sigmoid = keras.Sequential([keras.Input((8, 8, 3)), L.Flatten(), L.Dense(1, activation="sigmoid")])
    with pytest.raises(DataError, match="one number per sample"):
        armour.wrap(sigmoid)(X)
    binary = armour.wrap(sigmoid, outputs="probabilities")
    assert binary.examine(binary.admit(X)) == ()
    np.testing.assert_allclose(binary(X).numpy()[:, 1:], sigmoid(X), rtol=1e-6)


def test_fingerprints_do_not_depend_on_layer_numbers():
    first, second = small(), small()
    assert [v.path for v in first.variables] != [v.path for v in second.variables]
    assert armour.wrap(first).fingerprint() == armour.wrap(second).fingerprint()
    first.compile(optimizer="sgd", loss="mse")
    assert armour.wrap(first).fingerprint() == armour.wrap(second).fingerprint()
    second.layers[1].moving_mean.assign_add([1e-6] * 4)
    assert armour.wrap(first).fingerprint() != armour.wrap(second).fingerprint()
