import pickle
import sys
import textwrap
import zipfile

import numpy as np
import pytest

from armour_core.data import Dataset
from armour_core.errors import ConfigError, DataError, IntegrityError, PluginLoadError, UnknownPlugin
from armour_core.model import wrap
from armour_core.opening import Uri, arrange, open_data, open_model

X = np.random.default_rng(0).random((6, 4)).astype(np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])

FACTORIES = """
    import numpy as np
    import armour_core as armour

    WEIGHTS = np.arange(12.0).reshape(4, 3)

    def linear(x):
        return np.asarray(x) @ WEIGHTS

    class Linear:
        def __call__(self, x):
            return linear(x)

    def network():
        return Linear()

    def wrapped():
        return armour.wrap(Linear(), bounds=(-2, 2), name="mine", backend="numpy")

    def broken():
        raise KeyError("weights.npz")

    def leaves():
        raise SystemExit(5)

    def forgets():
        network()

    def wants(size):
        return Linear()

    class holder:
        network = staticmethod(network)

    an_object = Linear()
"""


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    """An empty current folder with a module of factories, under a name that no other test uses."""
    name = f"factories_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(FACTORIES))
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


# ---- models


@pytest.mark.parametrize("attribute", ["network", "holder.network", "an_object", "Linear"])
def test_a_factory_a_class_or_an_object_of_a_module_beside_is_a_model(here, attribute):
    before = list(sys.path)
    opened = open_model(f"python:{here}:{attribute}", bounds=(0, 1))
    assert np.asarray(opened.model(X)).shape == (6, 3)
    assert opened.uri == f"python:{here}:{attribute}"
    assert sys.path == before


def test_a_wrapped_model_keeps_its_settings_and_says_so(here):
    opened = open_model(f"python:{here}:wrapped", bounds=(0, 1), num_classes=None)
    assert opened.model.bounds == (-2, 2)
    assert "its own settings hold, and bounds" in opened.notes[0]
    assert open_model(f"python:{here}:wrapped").notes == ()


def test_an_object_in_memory_is_wrapped_and_a_model_is_taken():
    model = wrap(lambda x: x @ np.ones((4, 3)), backend="numpy")
    assert open_model(model).model is model
    assert open_model(lambda x: x @ np.ones((4, 3)), backend="numpy", bounds=(0, 2)).model.bounds == (0, 2)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("python:no_such_module_here:f", "no module 'no_such_module_here', neither installed nor in"),
        ("python:{here}:netwrok", "Did you mean network"),
        ("python:{here}:broken", "broken() raised KeyError: 'weights.npz'"),
        ("python:{here}:wants", "takes no arguments"),
        ("python:{here}:leaves", "leaves() raised SystemExit: 5"),
        ("python:{here}:forgets", "forgets() returned None"),
        ("python:{here}", "write python:MODULE:FACTORY"),
        ("python:{here}.py:network", "python:{here}:network"),
        ("python:./sub/{here}.py:network", "python:{here}:network"),
        ("python:", "write python:MODULE:FACTORY"),
        ("python:{here}:network?weights=x", "no settings"),
        ("{here}.py", "write python:{here}:FUNCTION"),
        ("onnxx:model.onnx", "nothing opens 'onnxx'"),
        ("", "nothing opens ''"),
    ],
)
def test_a_uri_that_names_no_model_is_refused_with_what_to_write(here, uri, says):
    with pytest.raises(ConfigError) as caught:
        open_model(uri.format(here=here))
    assert says.format(here=here) in str(caught.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_dependency", "needs 'no_such_dependency', which is not installed"),
        ("1 / 0", "importing .* raised ZeroDivisionError"),
        ("def f(:", "raised SyntaxError"),
        ("import sys; sys.exit(5)", "importing .* raised SystemExit: 5"),
    ],
)
def test_a_module_that_does_not_import_is_told_apart_from_one_that_is_not_there(here, tmp_path, code, says):
    (tmp_path / f"{here}_bad.py").write_text(code)
    with pytest.raises(ConfigError, match=says):
        open_model(f"python:{here}_bad:f")


def test_a_module_of_the_same_name_elsewhere_is_not_taken_for_the_one_beside(here, tmp_path, monkeypatch):
    open_model(f"python:{here}:network")
    other = tmp_path / "other"
    other.mkdir()
    (other / f"{here}.py").write_text("def network(): raise SystemExit")
    monkeypatch.chdir(other)
    with pytest.raises(ConfigError, match="is loaded already"):
        open_model(f"python:{here}:network")


# ---- data


def test_a_uri_has_parts():
    uri = Uri.parse(" npz:a/b.npz?x=images&y=the+labels ")
    assert (uri.scheme, uri.path, uri.settings) == ("npz", "a/b.npz", {"x": "images", "y": "the labels"})
    assert Uri.parse("digits") == Uri("digits", "digits", "", {})
    with pytest.raises(ConfigError, match="x=images"):
        Uri.parse("npz:a?b")


def test_npz_takes_x_and_y_or_the_keys_that_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=Y, other=Y[::-1])
    data = open_data(f"npz:{tmp_path}/a.npz")
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    assert data.uri == f"npz:{tmp_path}/a.npz"
    np.testing.assert_array_equal(open_data(f"npz:{tmp_path}/a.npz?y=other").y, Y[::-1])
    assert open_data(f"npz:{tmp_path}/a.npz?x=x&y=y").fingerprint == data.fingerprint


@pytest.mark.parametrize("shown", ["images", "no_such"])
def test_a_missing_key_lists_those_in_the_file(tmp_path, shown):
    np.savez(tmp_path / "a.npz", samples=X, labels=Y)
    with pytest.raises(DataError, match=f"no array '{shown}'; it holds samples, labels"):
        open_data(f"npz:{tmp_path}/a.npz?x={shown}")


def test_an_unknown_setting_of_a_dataset_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no setting 'z'"):
        open_data("npz:a.npz?z=1")
    with pytest.raises(ConfigError, match="split"):
        open_data("digits?split=validation")


def whole(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((200, 40)), y=np.zeros(200, int))
    return path


@pytest.mark.parametrize("share", [0.999, 0.9, 0.5, 0.01])
def test_a_truncated_file_is_damaged(tmp_path, share):
    path = whole(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(IntegrityError, match="damaged"):
        open_data(f"npz:{path}")


def test_a_flipped_byte_is_noticed(tmp_path):
    path = whole(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged"):
        open_data(f"npz:{path}")


class Bomb:
    """Pickled, it would write a file when it is loaded."""

    def __reduce__(self):
        return (exec, ("open('pwned', 'w').close()",))


@pytest.mark.parametrize("kind", ["pickle", "object_array", "npy_of_objects"])
def test_a_pickle_is_refused_unread_and_the_reason_given(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.npz"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    elif kind == "object_array":
        np.savez(path, x=np.array([Bomb()], dtype=object), y=Y, allow_pickle=True)
    else:
        np.save(tmp_path / "b.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
        path.write_bytes((tmp_path / "b.npy").read_bytes())
    with pytest.raises(DataError, match="allow_pickle=True") as caught:
        open_data(f"npz:{path}")
    assert "run" in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_other_unreadable_files_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        open_data(f"npz:{tmp_path}/none.npz")
    with pytest.raises(DataError, match="cannot be read"):
        open_data(f"npz:{tmp_path}")
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(IntegrityError, match="damaged"):
        open_data(f"npz:{tmp_path}/empty.npz")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(DataError, match="one array"):
        open_data(f"npz:{tmp_path}/one.npy")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("x.npy", "no array")
    with pytest.raises((DataError, IntegrityError)):
        open_data(f"npz:{tmp_path}/text.npz")
    with pytest.raises(ConfigError, match="names no file"):
        open_data("npz:")


def test_labels_are_checked_at_the_door(tmp_path):
    np.savez(tmp_path / "a.npz", x=X, y=np.eye(3)[Y])
    with pytest.raises(DataError, match="one-hot"):
        open_data(f"npz:{tmp_path}/a.npz")
    with pytest.raises(DataError, match="5 labels for 6 samples"):
        open_data((X, Y[:5]))


def test_arrays_and_tensors_in_memory_are_data():
    assert open_data((X, Y.tolist())).y.dtype == np.int64
    data = Dataset(x=X, y=Y)
    assert open_data(data).fingerprint == data.fingerprint
    torch = pytest.importorskip("torch", reason="torch is an extra")
    tensor = torch.tensor(X, requires_grad=True)
    np.testing.assert_array_equal(open_data((tensor, torch.tensor(Y))).x, X)


@pytest.mark.parametrize("source", [X, None, 3, (X,), {"x": X}])
def test_what_is_no_data_is_refused(source):
    with pytest.raises(DataError):
        open_data(source)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("digit", "Did you mean digits"),
        ("a/b.npz", "npz:a/b.npz"),
        ("parquett:x", "Data can be: digits, npz"),
        ("", "nothing"),
    ],
)
def test_an_unknown_data_scheme_says_what_there_is(uri, says):
    with pytest.raises(ConfigError) as caught:
        open_data(uri)
    assert says in str(caught.value)
    assert isinstance(caught.value.__cause__, UnknownPlugin)


# ---- digits


def test_the_digits_are_real_and_scaled():
    pytest.importorskip("sklearn", reason="scikit-learn is an extra")
    data = open_data("digits")
    assert data.x.shape == (1797, 8, 8, 1)
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_splits_are_disjoint_and_whole():
    pytest.importorskip("sklearn", reason="scikit-learn is an extra")
    train, test = open_data("digits?split=train"), open_data("digits?split=test")
    assert sorted([*train.index, *test.index]) == list(range(1797))
    assert len(test) == 599
    np.testing.assert_array_equal(open_data("digits?layout=flat").x.shape, (1797, 64))


def test_without_scikit_learn_the_command_that_installs_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(PluginLoadError, match=r"pip install 'armour\[demo\]'"):
        open_data("digits")


# ---- layouts


def takes(*shape):
    def net(x):
        if x.shape[1:] != shape:
            raise ValueError(f"expected {shape}, got {x.shape[1:]}")
        return x.reshape(len(x), -1)[:, :2]

    return wrap(net, backend="numpy")


@pytest.mark.parametrize("shape", [(4, 4, 1), (1, 4, 4), (4, 4), (16,)])
def test_images_are_brought_into_the_layout_that_the_model_takes(shape):
    data = Dataset(x=np.random.default_rng(0).random((5, 4, 4, 1)).astype(np.float32), y=np.arange(5), layout="nhwc")
    arranged = arrange(data, takes(*shape))
    assert arranged.x.shape == (5, *shape)
    np.testing.assert_array_equal(arranged.x.ravel(), data.x.ravel())


def test_a_model_that_takes_no_layout_gets_an_error_with_each_reason():
    data = Dataset(x=np.zeros((5, 4, 4, 1), np.float32), y=np.arange(5), layout="nhwc", name="toys")
    with pytest.raises(DataError, match="toys in no layout") as caught:
        arrange(data, takes(3, 3))
    assert str(caught.value).count("expected (3, 3)") == 4


def test_data_of_a_fixed_layout_is_never_rearranged():
    data = Dataset(x=np.zeros((5, 4, 4, 1), np.float32), y=np.arange(5))
    assert arrange(data, takes(16)) is data
