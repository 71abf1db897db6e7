"""`wrap` decides once what data and outputs are, and says so; what the framework is does not matter here."""

import contextlib
import gc
import random
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import armour_core as armour
from armour_core import ConfigError, DataError
from armour_core.admission import one_line
from armour_core.detection import captured, frameworks, takes_arrays
from armour_core.layout import Preprocessing, channel_axis
from armour_core.locks import lock_of
from armour_core.model import WrappedModel

RNG = np.random.default_rng(0)
IMAGES = RNG.random((20, 3, 8, 8))
W = RNG.normal(size=(192, 5))


def linear(x):
    return x.reshape(len(x), -1) @ W


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class LocalNet:
    """A `Net` in NumPy that says it is local, with buffers and a mode: what a framework's adapter looks like."""

    native = name = "LocalNet"
    dtype = "float32"
    capabilities = frozenset({"scores", "labels"})
    local = True
    outputs = num_classes = channel_axis = None
    notes = ()

    def __init__(self, call=linear, backend=None):
        from armour_backends.numpy.backend import backend_for

        self.backend = backend_for("cpu")
        self.native = self
        self.call = call
        self.training = True
        self.moving = {"mean": np.zeros(2), "seen": np.zeros((), np.int64)}

    def forward(self, x):
        return self.call(x)

    @contextlib.contextmanager
    def evaluation(self):
        training, self.training = self.training, False
        try:
            yield ["was in training mode"] if training else []
        finally:
            self.training = training

    def buffers(self):
        return {name: value.copy() for name, value in self.moving.items()}

    def restore(self, values):
        for name, value in values.items():
            self.moving[name][...] = value

    def streams(self):
        return ()

    def moved(self, names):
        return "It always does."

    def couples(self):
        return ("norm1",)


# ---- wrapping


def test_the_public_example():
    model = armour.wrap(linear)
    assert model(IMAGES).shape == (20, 5)
    assert (model.bounds, model.outputs, model.num_classes) == ((0.0, 1.0), "logits", None)
    model.examine(model.admit(IMAGES))
    assert model.num_classes == 5
    assert repr(model) == "<linear on numpy:cpu, bounds (0, 1), logits of 5 classes>"


def test_wrapping_twice_is_wrapping_once():
    model = armour.wrap(linear, bounds=(0, 2), outputs="scores")
    assert armour.wrap(model) is model
    assert armour.wrap(model, bounds=(0, 2), outputs="scores", device="cpu") is model
    with pytest.raises(
        ConfigError, match=r"wrapped already, and bounds=\(0, 3\) would change it.*\n?.*wrap\(model.native"
    ):
        armour.wrap(model, bounds=(0, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bounds": (1, 0)}, "the lower one first"),
        ({"bounds": (0, np.inf)}, "finite"),
        ({"bounds": 1}, "expected two numbers"),
        ({"outputs": "softmax"}, "logits, probabilities, scores, labels, loss"),
        ({"layout": "tabular"}, "vector, image"),
        ({"num_classes": 1}, "whole number from 2"),
        ({"num_classes": 2.5}, "whole number from 2"),
        ({"preprocessing": 0.5}, r"expected \(mean, std\)"),
        ({"preprocessing": (0.5, 0)}, "must be above 0"),
        ({"preprocessing": ("a", 1)}, "is not a number"),
        ({"preprocessing": ((0.1, 0.2), (1.0, 1.0, 1.0))}, "one value per channel in each"),
        ({"preprocessing": (np.nan, 1)}, "not finite"),
        ({"device": "cuda:0"}, "NumPy computes on 'cpu' only"),
        ({"backend": "caffe"}, "no installed backend 'caffe'.*Installed: .*numpy"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        armour.wrap(linear, **settings)


def test_what_cannot_be_a_model_is_refused():
    with pytest.raises(ConfigError, match=r"is a class. Pass an object of it: wrap\(LocalNet\(...\)\)"):
        armour.wrap(LocalNet)
    with pytest.raises(ConfigError, match="is a string"):
        armour.wrap("resnet50")
    with pytest.raises(ConfigError, match="not callable"):
        armour.wrap(3)


def test_detection_reads_names_and_imports_nothing():
    code = """
import sys
import armour_core as armour
from armour_core import registry

def named(path, *bases):
    module, _, name = path.rpartition(".")
    return type(name, bases or (object,), {"__module__": module, "__call__": lambda self, x: x})

torch_module = named("torch.nn.modules.module.Module")
cases = {
    "torch": [torch_module, named("torch._dynamo.eval_frame.OptimizedModule", torch_module),
              named("torch.jit._script.ScriptModule", torch_module),
              named("torch.export.exported_program.ExportedProgram"),
              named("keras.src.models.model.Model", named("keras.src.backend.torch.layer.TorchLayer", torch_module))],
    "tensorflow": [named("tensorflow.python.module.module.Module"),
                   named("tensorflow.python.trackable.autotrackable.AutoTrackable"),
                   named("keras.src.models.model.Model", named("keras.src.backend.tensorflow.layer.TFLayer"))],
    "numpy": [named("sklearn.base.BaseEstimator"), named("mine.Callable")],
    None: [named("keras.src.models.model.Model", named("keras.src.backend.jax.layer.JaxLayer"))],
}
for backend, classes in cases.items():
    for cls in classes:
        net = type("Net", (cls,), {"__module__": "user"})()
        assert registry.first("armour_infer_backend", net=net) == backend, (backend, cls)
        # whoever is asked first, the answer is the same: no two backends claim one object
        answers = {f() for _, f in registry.registry()._calls("armour_infer_backend", {"net": net})} - {None}
        assert answers <= {backend}, (answers, cls)
try:
    registry.first("armour_infer_backend", net=named("tf_keras.src.engine.training.Model")())
except armour.ConfigError as error:
    assert "tf_keras, Keras 2" in str(error) and "set_weights" in str(error)
else:
    raise AssertionError
heavy = {"torch", "tensorflow", "keras", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- functions


def test_a_function_is_known_by_what_its_code_refers_to():
    def numbers(x):
        return np.tanh(x)

    def inner(x):
        return numbers(x) + helper.scale

    class helper:
        scale = 2.0

    assert "numpy" in frameworks(numbers)
    assert numbers in captured(inner)
    assert helper in captured(inner)
    assert not takes_arrays(numbers)
    assert takes_arrays(lambda x: inner(x).predict(x))


def test_an_unfilled_closure_is_no_obstacle():
    def outer():
        def function(x):
            return later(x)

        assert armour.wrap(function).name == "function"  # `later` has no value yet

        def later(x):
            return x

    outer()


def test_a_function_that_knows_two_frameworks_must_be_told(monkeypatch):
    import types

    for name in ("torch", "tensorflow"):
        monkeypatch.setitem(globals(), name, types.ModuleType(name))

    def mixed(x):
        return torch.relu(tensorflow.abs(x))  # noqa: F821

    with pytest.raises(ConfigError, match=r"made of .*tensorflow, torch.*\n.*wrap\(net, backend='numpy'\)"):
        armour.wrap(mixed)
    assert armour.wrap(mixed, backend="numpy").backend.name == "numpy"


def test_keras_on_a_framework_without_a_backend_is_left_to_others():
    layer = type("JaxLayer", (), {"__module__": "keras.src.backend.jax.layer", "__call__": lambda self, x: x})
    net = type("Net", (layer,), {})()
    with pytest.raises(ConfigError, match=r"no installed backend claims this .*Net, which is made of .*keras"):
        armour.wrap(net)


def test_a_function_gets_the_dtype_of_the_data():
    given = []

    def function(x):
        given.append(x.dtype)
        return linear(x)

    model = armour.wrap(function)
    for dtype in (np.float64, np.float32, np.float16):
        model.examine(model.admit(IMAGES.astype(dtype)))
        assert model.dtype == dtype
        model(IMAGES.astype(dtype))
    assert set(given) == {np.dtype(d) for d in ("float64", "float32", "float16")}


# ---- data at the door


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            IMAGES * 5 - 2.4,
            r"x ranges over \[-2\.\d+, 2\.\d+\], but the model was wrapped with bounds \(0, 1\)\.\n"
            r"  It looks normalised\. Pass raw inputs and let the wrapper normalise: "
            r"wrap\(net, bounds=\(0, 1\), preprocessing=\(mean, std\)\)\.",
        ),
        (IMAGES * 2 - 1, r"normalised to \[-1, 1\].*preprocessing=\(0\.5, 0\.5\).*bounds=\(-1, 1\)"),
        (IMAGES * 255, r"looks like 8-bit images. Scale it: x / 255.*bounds=\(0, 255\)"),
        (IMAGES * 1000, r"Scale the data.*wrap\(net, bounds="),
        (IMAGES * 7.9, r"Scale the data.*wrap\(net, bounds="),
        (IMAGES * 1.0005, r"small, as interpolation or rounding leaves it. Clip it: numpy.clip\(x, 0, 1\)"),
        ((IMAGES * 255).astype(np.uint8), r"x is uint8 .*bounds \(0, 1\).\n  Scale it: x.astype\('float32'\) / 255"),
        (IMAGES.astype(np.int64), "dtype int64.*\n.*Pass floats"),
        (IMAGES > 0.5, "dtype bool"),
        (IMAGES.astype(complex), "complex128, which is not numeric"),
        (IMAGES.astype(str), "not numeric"),
        (np.array([["a", None]], object), "object, which is not numeric"),
        (np.ma.masked_less(IMAGES, 0.5), r"masked array.*x.filled\(0\)"),
        (object(), "object, which is not numeric"),
        ([[1.0], [1.0, 2.0]], "does not convert to an array"),
        ({"a": IMAGES}, r"a dict of several inputs.*\n.*forward=lambda net, x"),
        ((IMAGES, np.zeros(3)), "a tuple of several inputs"),
        (IMAGES[:0], r"empty: its shape is \(0, 3, 8, 8\)"),
        (np.float64(0.5), "a single number"),
        (np.where(np.arange(20)[:, None, None, None] == 7, np.nan, IMAGES), "contains NaN: the first in row 7"),
        (np.where(np.arange(20)[:, None, None, None] == 3, np.inf, IMAGES), "infinite values: the first in row 3"),
    ],
)
def test_data_is_refused_with_the_likely_cause(x, message):
    with pytest.raises(DataError, match=message):
        armour.wrap(linear).admit(x)


def test_the_error_names_the_argument():
    with pytest.raises(DataError, match=r"reference ranges.*\n.*Clip it: numpy.clip\(reference, 0, 1\)"):
        armour.wrap(linear).admit(IMAGES * 1.0005, what="reference")


def test_accepted_data_comes_in_the_models_dtype_and_inside_the_bounds():
    model = WrappedModel(LocalNet())
    for dtype in (np.float64, np.float32, np.float16):
        assert model.admit(IMAGES.astype(dtype)).dtype == np.float32
    assert model.admit(IMAGES.tolist()).shape == IMAGES.shape
    third = WrappedModel(LocalNet(), bounds=(0, 1 / 3))
    half = third.admit(np.full((1, 4), 1 / 3, np.float16))  # 0.33325 in half precision
    single = third.admit(np.full((1, 4), 1 / 3, np.float32))  # a little more than 1/3
    assert half.max() <= 1 / 3
    assert single.max() <= np.float32(1 / 3)


def test_uint8_is_taken_where_bounds_are_0_to_255():
    model = armour.wrap(linear, bounds=(0, 255))
    x = model.admit((IMAGES * 255).astype(np.uint8))
    assert x.dtype == np.float32
    assert x.max() > 200


# ---- channels and preprocessing


@pytest.mark.parametrize(
    ("shape", "said", "net", "layout", "axis"),
    [
        ((9, 3, 32, 32), None, None, None, 1),
        ((9, 32, 32, 3), None, None, None, 3),
        ((9, 28, 28, 1), None, None, None, 3),
        ((9, 28, 28), None, None, None, None),
        ((9, 28, 28), None, 1, None, None),
        ((9, 784), None, -1, None, None),
        ((9, 3, 32, 3), None, -1, None, 3),
        ((9, 3, 32, 3), None, 1, None, 1),
        ((9, 3, 32, 32), -1, 1, None, 3),
        ((9, 3, 32, 32), None, 1, "vector", None),
        ((9, 16, 8, 32, 3), None, None, None, 4),
    ],
)
def test_the_channel_axis(shape, said, net, layout, axis):
    assert channel_axis(shape, said, net, layout) == (axis, None)


@pytest.mark.parametrize(
    ("shape", "axis"), [((9, 2, 8, 8), 1), ((9, 8, 8, 2), 3), ((9, 8, 8, 8), None), ((9, 3, 8, 1), 3)]
)
def test_an_ambiguous_channel_axis_is_asked_for(shape, axis):
    guess, warning = channel_axis(shape, None, None, None)
    assert guess == axis
    assert "wrap(net, channel_axis=1) or channel_axis=3" in warning
    model = WrappedModel(LocalNet(lambda x: x.reshape(len(x), -1)[:, :4]))
    assert any("channel_axis=1" in note for note in model.examine(model.admit(RNG.random(shape))))


def test_per_channel_preprocessing_will_not_guess_between_equal_axes():
    model = armour.wrap(linear, preprocessing=((0.1, 0.2, 0.3), 1.0))
    with pytest.raises(ConfigError, match=r"one value per channel, but which axis.*channel_axis=1"):
        model.admit(RNG.random((4, 3, 64, 3)))


def test_a_channel_axis_outside_the_shape_is_refused():
    with pytest.raises(ConfigError, match=r"channel_axis=4, but x has shape \(20, 3, 8, 8\): expected 1 to 3"):
        armour.wrap(linear, channel_axis=4).admit(IMAGES)


@pytest.mark.parametrize(
    ("x", "axis"),
    [(IMAGES, 1), (np.moveaxis(IMAGES, 1, -1), 3), (IMAGES.reshape(20, 64, 3), None), (IMAGES[:, :, 0, 0], None)],
)
def test_preprocessing_lies_on_the_channel_axis(x, axis):
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])
    where = 1 if x.ndim == 4 and axis == 1 else x.ndim - 1
    shape = [-1 if i == where else 1 for i in range(x.ndim)]
    model = armour.wrap(lambda x: x, preprocessing=(mean, std), outputs="scores")
    np.testing.assert_array_equal(model(x), (x - mean.reshape(shape)) / std.reshape(shape))
    assert model.admit(x) is not None
    assert model.channel_axis == axis


def test_preprocessing_takes_numbers_dicts_and_whole_samples():
    x = IMAGES
    for given in [(0.5, 0.25), {"mean": 0.5, "std": 0.25}, ([0.5], [0.25]), (np.full((3, 1, 1), 0.5), 0.25)]:
        model = armour.wrap(lambda x: x, preprocessing=given, outputs="scores")
        np.testing.assert_array_equal(model(x), (x - 0.5) / 0.25)
    sample = RNG.random((3, 8, 8))
    model = armour.wrap(lambda x: x, preprocessing=(sample, 1.0), outputs="scores")
    np.testing.assert_array_equal(model(x), x - sample)


def test_preprocessing_is_in_the_models_dtype():
    seen = []
    model = WrappedModel(
        LocalNet(lambda x: seen.append(x.dtype) or linear(x)), preprocessing=((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    )
    model(IMAGES)
    assert seen == [np.float32]


def test_channels_on_the_other_axis_are_named():
    class First(LocalNet):
        channel_axis = 1

    model = WrappedModel(First(), preprocessing=((0.1, 0.2, 0.3), 1.0))
    with pytest.raises(
        DataError, match=r"has shape \(20, 8, 8, 3\): 8 on its channel axis 1.\n  They lie on axis 3: move them"
    ):
        model.admit(np.moveaxis(IMAGES, 1, -1))
    with pytest.raises(ConfigError, match="fits no channel axis"):
        model.admit(IMAGES[:, :2])
    assert Preprocessing.of(None) is None


# ---- outputs, looked at


def test_probabilities_are_noticed_where_logits_are_declared():
    model = armour.wrap(lambda x: softmax(linear(x)))
    with pytest.raises(
        DataError, match=r"on 16 rows its outputs lie in \[0, 1\] and sum to 1.*\n.*outputs='probabilities'"
    ):
        model.examine(model.admit(IMAGES))
    declared = armour.wrap(lambda x: softmax(linear(x)), outputs="probabilities")
    assert declared.examine(declared.admit(IMAGES)) == ()
    assert declared.num_classes == 5


def test_log_probabilities_will_do_as_logits():
    model = armour.wrap(lambda x: np.log(softmax(linear(x))))
    assert model.examine(model.admit(IMAGES)) == ()
    assert model.outputs == "logits"


def test_one_hot_outputs_are_labels():
    model = armour.wrap(lambda x: np.eye(5)[linear(x).argmax(1)])
    notes = model.examine(model.admit(IMAGES))
    assert "taken as labels" in notes[0]
    assert (model.outputs, model.num_classes) == ("labels", 5)
    assert model.capabilities == {"labels"}
    labels = model(IMAGES)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, linear(IMAGES).argmax(1))


def test_whole_numbers_are_labels():
    model = armour.wrap(lambda x: linear(x).argmax(1))
    model.examine(model.admit(IMAGES))
    assert model.outputs == "labels"
    assert model(IMAGES).shape == (20,)


@pytest.mark.parametrize(
    ("function", "settings", "error", "message"),
    [
        (
            lambda x: np.where(np.arange(len(x))[:, None] == 2, np.nan, linear(x)),
            {},
            DataError,
            "not finite: 1 of 16 rows, row 2",
        ),
        (
            lambda x: linear(x)[:, :1],
            {},
            DataError,
            "one number per sample.*\n.*'logits'.*'probabilities'.*'scores' a regression",
        ),
        (lambda x: linear(x)[:, 0], {}, DataError, "one number per sample"),
        (lambda x: linear(x)[0], {}, DataError, r"shape \(5,\) for 16 rows"),
        (lambda x: linear(x)[:, :, None, None], {}, DataError, r"shape \(16, 5, 1, 1\); \(N, classes\) is wanted"),
        (lambda x: linear(x).astype(str), {}, DataError, "numbers are wanted"),
        (linear, {"outputs": "probabilities"}, DataError, r"but they are not in \[0, 1\].*\n.*outputs='logits'"),
        (lambda x: 1 / (1 + np.exp(-linear(x))), {"outputs": "probabilities"}, DataError, "rows do not sum to 1"),
        (lambda x: linear(x)[:, 0], {"outputs": "labels"}, DataError, "class numbers 0, 1, ... are wanted"),
        (
            lambda x: linear(x).argmax(1),
            {"outputs": "labels", "num_classes": 2},
            DataError,
            "label 4, but num_classes=2",
        ),
        (linear, {"num_classes": 7}, ConfigError, "num_classes=7, but the network's outputs have shape"),
        (lambda x: {"a": 1}, {}, DataError, "no tensor of numpy"),
        (lambda x: {"logits": linear(x)}, {"output": "scores"}, ConfigError, "with logits, which has no such part"),
    ],
)
def test_outputs_that_are_not_what_was_promised(function, settings, error, message):
    model = armour.wrap(function, **settings)
    x = model.admit(IMAGES)
    with pytest.raises(error, match=message):
        model.examine(x)


def test_a_binary_output_becomes_two_columns_once_it_is_declared():
    z = linear(IMAGES)[:, :1]
    for function in (lambda x: linear(x)[:, :1], lambda x: linear(x)[:, 0]):
        logits = armour.wrap(function, outputs="logits")
        logits.examine(logits.admit(IMAGES))
        np.testing.assert_array_equal(logits(IMAGES), np.concatenate([0 * z, z], axis=1))
        assert logits.num_classes == 2
    p = armour.wrap(lambda x: 1 / (1 + np.exp(-linear(x)[:, :1])), outputs="probabilities")
    p.examine(p.admit(IMAGES))
    np.testing.assert_allclose(p(IMAGES), softmax(np.concatenate([0 * z, z], axis=1)), rtol=1e-12)
    assert p.num_classes == 2
    regression = armour.wrap(lambda x: linear(x)[:, :1], outputs="scores")
    regression.examine(regression.admit(IMAGES))
    assert regression.num_classes is None
    assert regression.capabilities == {"scores"}


def test_outputs_of_several_parts():
    parts = {"aux": 3, "logits": linear, "boxes": lambda x: x}

    def network(x):
        return {name: part(x) if callable(part) else part for name, part in parts.items()}

    assert armour.wrap(network)(IMAGES).shape == (20, 5)  # the first tensor
    assert armour.wrap(network, output="boxes", outputs="scores")(IMAGES).shape == IMAGES.shape
    assert armour.wrap(lambda x: (linear(x), x), output=0)(IMAGES).shape == (20, 5)


def test_further_inputs_are_fixed_by_forward_and_named_by_input():
    def network(pixels, mask):
        return linear(pixels * mask)

    model = armour.wrap(network, forward=lambda net, x: net(x, mask=0))
    assert not model(IMAGES).any()
    assert armour.wrap(lambda *, pixels: linear(pixels), input="pixels")(IMAGES).shape == (20, 5)


def test_what_is_examined_once_is_remembered_by_shape():
    calls = []
    model = armour.wrap(lambda x: calls.append(len(x)) or x.reshape(len(x), -1)[:, :4])
    x = model.admit(IMAGES)
    first = model.examine(x)
    assert model.examine(x) == first
    assert calls == [16]
    model.examine(model.admit(IMAGES[:, :, :4]))
    assert calls == [16, 16]


def test_a_function_is_asked_nothing_when_its_answers_are_known():
    calls = []
    model = armour.wrap(lambda x: calls.append(len(x)) or linear(x))
    x = model.admit(IMAGES)
    answers = model(x)
    model.examine(x, answers)
    assert calls == [20]
    assert model.num_classes == 5
    probable = armour.wrap(lambda x: softmax(linear(x)))
    with pytest.raises(DataError, match="probabilities"):
        probable.examine(x, probable(x))


# ---- a local network: mode, buffers, company, chance


def test_the_mode_is_noted_and_put_back():
    net = LocalNet()
    model = WrappedModel(net)
    assert "was in training mode" in model.examine(model.admit(IMAGES))
    assert net.training
    with model.running():
        assert not net.training
        with model.running():
            model(IMAGES)
        assert not net.training
    assert net.training


def test_an_exception_leaves_mode_and_lock_free():
    def broken(x):
        raise ZeroDivisionError("in the user's code")

    net = LocalNet(broken)
    model = WrappedModel(net)
    with pytest.raises(ZeroDivisionError):
        model(IMAGES)
    with pytest.raises(
        DataError, match=r"does not take x of shape \(16, 3, 8, 8\), float32. It says: ZeroDivisionError: in the user"
    ):
        model.examine(model.admit(IMAGES))
    assert net.training
    lock = lock_of(net)
    assert lock.depth == 0
    taken = []
    thread = threading.Thread(target=lambda: taken.append(lock.lock.acquire(timeout=5)))
    thread.start()
    thread.join()
    assert taken == [True]


def test_buffers_that_move_are_put_back_and_named():
    def moving(x):
        net.moving["mean"] += 1
        return linear(x)

    net = LocalNet(moving)
    model = WrappedModel(net)
    notes = model.examine(model.admit(IMAGES))
    assert any(note.startswith("LocalNet changes mean in evaluation mode; they are put back") for note in notes)
    for _ in range(3):
        model(IMAGES)
        with model.running():
            model.forward(model.admit(IMAGES))
    assert not net.moving["mean"].any()


def test_a_network_that_mixes_rows_is_named():
    model = WrappedModel(LocalNet(lambda x: linear(x) - linear(x).mean(axis=0)))
    notes = model.examine(model.admit(IMAGES))
    assert any("mixes the rows of a batch in evaluation mode (look at norm1)" in note for note in notes)
    single = WrappedModel(LocalNet(lambda x: linear(x) - linear(x).mean(axis=0)))
    assert any("mixes the rows" in note for note in single.examine(single.admit(IMAGES[:1])))
    apart = WrappedModel(LocalNet())
    assert not any("mixes" in note for note in apart.examine(apart.admit(IMAGES)))


def test_a_fixed_batch_size_is_refused():
    def fixed(x):
        if len(x) != 16:
            raise ValueError("expected 16 rows")
        return linear(x)

    model = WrappedModel(LocalNet(fixed))
    with pytest.raises(DataError, match=r"takes a batch of 16, but not one of 1\. It says: ValueError: expected"):
        model.examine(model.admit(IMAGES))


def test_a_random_network_has_a_stream_of_its_own_and_leaves_the_callers():
    def noisy(x):
        return linear(x) + np.random.normal(size=(len(x), 5)) + random.random()

    net = LocalNet(noisy)
    model = WrappedModel(net, seed=3)
    before = random.getstate(), np.random.get_state()[1].copy(), np.random.get_state()[2]
    notes = model.examine(model.admit(IMAGES))
    assert model.randomized
    assert any("draws from numpy.random" in note for note in notes)
    assert any("two equal calls differ" in note for note in notes)
    a, b = model(IMAGES), model(IMAGES)
    assert not np.array_equal(a, b)
    model.reseed(5)
    c = model(IMAGES)
    np.random.seed(before[2])  # the caller's doings change nothing
    model.reseed(5)
    np.testing.assert_array_equal(model(IMAGES), c)
    np.random.set_state(("MT19937", before[1], before[2]))
    for _ in range(3):
        model(IMAGES)
    assert random.getstate() == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])
    assert np.random.get_state()[2] == before[2]


def test_gradients_that_are_promised_and_not_there_are_noticed():
    class Promising(LocalNet):
        capabilities = frozenset({"autodiff", "scores", "labels"})

    model = WrappedModel(Promising())
    notes = model.examine(model.admit(IMAGES))
    assert any(note.startswith("LocalNet gives no gradients: MissingCapability") for note in notes)
    assert model.capabilities == {"scores", "labels"}


def test_an_untraceable_network_is_run_eagerly_and_says_so_once():
    class Untraceable(LocalNet):
        def untraceable(self, x):
            return "OperatorNotAllowedInGraphError: a Python bool"

    model = WrappedModel(Untraceable())
    assert model.local
    assert any("cannot be traced, so it is run eagerly" in note for note in model.examine(model.admit(IMAGES)))
    assert not model.local


def test_the_order_of_axes_is_named_when_the_other_one_fits():
    def channels_first(x):
        if x.ndim != 4 or x.shape[1] != 3:
            raise RuntimeError(f"expected 3 channels on axis 1,\n  got {x.shape}")
        return linear(x)

    model = WrappedModel(LocalNet(channels_first))
    last = np.moveaxis(IMAGES, 1, -1)
    named = (
        r"RuntimeError: expected 3 channels on axis 1.*\n  It takes channels first \(N, C, H, W\): "
        r"pass x of shape \((16|20), 3, 8, 8\), which is x.transpose\(0, 3, 1, 2\)"
    )
    for ask in (lambda: model(last), lambda: model.examine(model.admit(last))):
        with pytest.raises(DataError, match=named):
            ask()
    with pytest.raises(DataError, match=r"x is a single image: pass x\[None\], of shape \(1, 3, 8, 8\)"):
        model(IMAGES[0])
    with pytest.raises(RuntimeError, match="expected 3 channels"):
        model(IMAGES[:, :2])  # no likely cause: the framework's own words
    assert model(IMAGES).shape == (20, 5)


@pytest.mark.parametrize(
    ("takes", "x", "hint"),
    [
        ((3, 1), IMAGES[:, :1].transpose(0, 2, 3, 1)[..., 0], r"channel axis, last: pass x\[..., None\]"),
        ((1, 1), IMAGES[:, 0], r"channel axis, first: pass x\[:, None\]"),
        ((3, 3), IMAGES, "channels last"),
        ("flat", IMAGES, r"takes vectors: pass x of shape \(16, 192\)"),
        ("grey", IMAGES[:, :1], r"without a channel axis: pass x\[:, 0\]"),
    ],
)
def test_other_likely_shapes(takes, x, hint):
    def network(x):
        if takes == "flat":
            fits = x.ndim == 2
        elif takes == "grey":
            fits = x.ndim == 3
        else:
            fits = x.ndim == 4 and x.shape[takes[0]] == takes[1]
        if not fits:
            raise ValueError("shape")
        return x.reshape(len(x), -1)[:, :4]

    model = WrappedModel(LocalNet(network))
    with pytest.raises(DataError, match=hint):
        model.examine(model.admit(x))


# ---- the lock


def test_two_wrappers_of_one_network_share_its_lock():
    net = LocalNet()
    inside, overlap = [], []

    def slow(x):
        inside.append(1)
        overlap.append(len(inside))
        threading.Event().wait(0.005)
        inside.pop()
        return linear(x)

    net.call = slow
    models = [WrappedModel(net), WrappedModel(net, bounds=(0, 2))]
    threads = [threading.Thread(target=lambda m=m: [m(IMAGES) for _ in range(5)]) for m in models for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(overlap) == 1
    assert net.training


def test_a_lock_dies_with_its_network():
    net = LocalNet()
    lock = weakref.ref(lock_of(net))
    model = WrappedModel(net)
    model(IMAGES)
    gone = weakref.ref(net)
    assert lock() is lock_of(net)
    del model
    net.native = None
    del net
    gc.collect()
    assert gone() is None
    assert lock() is None


def test_a_pin_that_fails_keeps_no_lock():
    class Fails:
        def __init__(self, when):
            self.when, self.left = when, 0

        def enter(self):
            if self.when == "enter":
                raise OSError("enter")

        def leave(self):
            self.left += 1
            if self.when == "leave":
                raise OSError("leave")

    for when in ("enter", "leave"):
        net = LocalNet()
        running = WrappedModel(net).running()
        good, bad = Fails("never"), Fails(when)
        running._pins += [good, bad, Fails("never")]
        with pytest.raises(OSError, match=when), running:
            pass
        assert good.left == 1
        assert lock_of(net).depth == 0
        assert net.training


def test_objects_that_cannot_be_hashed_or_referred_to_weakly_are_wrapped_too():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return linear(x)

    class Slotted:
        __slots__ = ()

        def __call__(self, x):
            return linear(x)

    unhashable = Unhashable()
    assert lock_of(unhashable) is lock_of(unhashable)
    assert armour.wrap(unhashable)(IMAGES).shape == (20, 5)
    assert armour.wrap(Slotted())(IMAGES).shape == (20, 5)
    assert armour.wrap((3).__add__, outputs="scores").name == "__add__"


# ---- fingerprints


def test_a_fingerprint_follows_weights_names_and_settings():
    class Stateful(LocalNet):
        def __init__(self, w=1.0, name="w"):
            super().__init__()
            self.w = {name: np.full((2, 3), w)}

        def state(self):
            return {**self.w, **self.buffers()}

    same = WrappedModel(Stateful()).fingerprint()
    assert WrappedModel(Stateful()).fingerprint() == same
    others = [
        WrappedModel(Stateful(2.0)),
        WrappedModel(Stateful(name="v")),
        WrappedModel(Stateful(), bounds=(0, 2)),
        WrappedModel(Stateful(), preprocessing=(0.5, 1.0)),
        WrappedModel(Stateful(), outputs="scores"),
    ]
    assert len({same, *(m.fingerprint() for m in others)}) == 6
    assert armour.wrap(linear).fingerprint() is None


def test_what_a_framework_says_is_quoted_without_its_colours():
    assert one_line(ValueError("Called.\n\x1b[1mInput 0 is wrong\x1b[0m")) == "ValueError: Called. Input 0 is wrong"
