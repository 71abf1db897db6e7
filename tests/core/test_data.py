import numpy as np
import pytest

from armour_core.data import Dataset, check_labels
from armour_core.errors import ConfigError, DataError

GOOD = np.array([0, 2, 1, 2])


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.uint64])
def test_integer_labels_come_back_as_int64(kind):
    labels = check_labels(GOOD.astype(kind), 4, 3)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, GOOD)


def test_lists_are_labels_too():
    np.testing.assert_array_equal(check_labels([0, 1, 1], 3), [0, 1, 1])


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (None, "No labels were given"),
        (np.eye(3)[GOOD], "looks one-hot. Pass class numbers: y.argmax(axis=1)"),
        (np.full((4, 3), 1 / 3), "probabilities. Pass class numbers"),
        (GOOD[:, None], "Pass y.reshape(-1)"),
        (np.zeros((4, 2, 2), int), "(4, 2, 2)"),
        (np.array(3), "shape ()"),
        (GOOD.astype(float), "Pass class numbers: y.astype(int)"),
        (GOOD + 0.5, "regression targets"),
        (np.array([0, np.nan, 1, 2]), "no class numbers"),
        (GOOD > 1, "bool"),
        (np.array(["cat", "dog", "cat", "cow"]), "values such as 'cat'. Pass"),
        (np.array([0, -1, -1, 2]), "2 negative labels (the first, -1, at place 1)"),
        (GOOD + 1, "start at 1: pass y - 1"),
        (np.array([0, 7, 1, 2]), "numbered 0 to 2"),
        (GOOD[:3], "3 labels for 4 samples"),
        ([], "no samples"),
        ([[0, 1], [2]], "NumPy cannot read"),
    ],
)
def test_a_wrong_label_array_is_named_with_its_remedy(y, says):
    with pytest.raises(DataError) as caught:
        check_labels(y, 4, 3)
    assert says in str(caught.value)


def test_no_samples_is_said():
    with pytest.raises(DataError, match="no samples"):
        check_labels(GOOD, 0)


def test_labels_are_unbounded_where_the_model_does_not_say():
    assert check_labels([0, 900], 2, None).max() == 900


@pytest.fixture
def images():
    x = np.arange(5 * 2 * 3, dtype=np.float32).reshape(5, 2, 3, 1)
    return Dataset(x=x, y=np.arange(5), layout="nhwc", name="toy")


def test_a_fingerprint_is_of_values_types_and_shapes(images):
    again = Dataset(x=images.x.copy(), y=images.y.copy(), name="another name")
    assert images.fingerprint == again.fingerprint
    others = [images.x + 1, images.x.astype(np.float64), images.x.reshape(5, 3, 2, 1)]
    assert len({images.fingerprint, *(Dataset(x=x, y=images.y).fingerprint for x in others)}) == 4


def test_a_sample_is_reproducible_ordered_and_knows_its_places(images):
    drawn = images.sample(3, seed=4)
    np.testing.assert_array_equal(drawn.index, images.sample(3, seed=4).index)
    assert (np.diff(drawn.index) > 0).all()
    np.testing.assert_array_equal(drawn.x, images.x[drawn.index])
    np.testing.assert_array_equal(drawn.take([2, 0]).index, drawn.index[[2, 0]])
    assert images.sample(None, 0) is images.sample(5, 0) is images
    assert len(images.sample(3, seed=-4)) == 3


def test_images_are_rearranged_only_where_their_layout_is_known(images):
    assert images.arranged("nchw").x.shape == (5, 1, 2, 3)
    assert images.arranged("nhw").x.shape == (5, 2, 3)
    assert images.arranged("flat").x.shape == (5, 6)
    for layout in ("nchw", "nhw", "flat"):
        np.testing.assert_array_equal(images.arranged(layout).x.ravel(), images.x.ravel())
    fixed = Dataset(x=images.x, y=images.y)
    assert fixed.arranged("nchw") is fixed
    with pytest.raises(ConfigError, match="nhwc, nchw"):
        images.arranged("chw")
