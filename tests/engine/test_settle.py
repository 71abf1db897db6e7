"""What comes back is inside bounds and ball to the last bit of the caller's dtype, and nothing else has moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from armour_core import ContractError
from armour_core.engine.settle import settle

BOUNDS = (0.0, 1.0)


def rounded(adversarial, seen, x, norm="linf", eps=0.1, mask=None, bounds=BOUNDS):
    sizes = None if eps is None else np.full(len(x), eps)
    return settle(adversarial, seen, x, norm=norm, eps=sizes, bounds=bounds, mask=mask, plugin="attack:it")


def size(norm, d):
    d = d.reshape(len(d), -1)
    return {"linf": np.abs(d).max(1), "l2": np.sqrt((d**2).sum(1)), "l1": np.abs(d).sum(1)}[norm]


@given(
    seed=st.integers(0, 10**6),
    norm=st.sampled_from(["linf", "l2", "l1"]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    eps=st.sampled_from([8 / 255, 0.3, 1e-3, 0.0]),
)
def test_the_ball_and_the_bounds_hold_exactly(seed, norm, dtype, eps):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (4, 9)).astype(dtype)
    seen = x.astype(np.float32)
    d = rng.standard_normal((4, 9))
    d *= eps / size(norm, d)[:, None]
    adversarial = np.clip(seen + d, 0, 1).astype(np.float32)
    result = rounded(adversarial, seen, x, norm, eps)
    assert result.dtype == dtype
    assert (size(norm, result.astype(np.float64) - x.astype(np.float64)) <= eps).all()
    assert result.min() >= 0
    assert result.max() <= 1
    step = np.spacing(np.maximum(np.abs(result), np.abs(x)).astype(dtype)).astype(np.float64)
    assert (np.abs(result.astype(np.float64) - adversarial) <= 2 * step + 2e-7).all()  # no farther than rounding


def test_masked_elements_and_those_left_alone_are_bit_equal():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (3, 8))  # float64: the model sees float32
    seen = x.astype(np.float32)
    mask = rng.uniform(size=x.shape) < 0.5
    adversarial = np.clip(seen + np.float32(0.05), 0, 1)
    adversarial[:, 0] = seen[:, 0]
    result = rounded(adversarial, seen, x, mask=mask)
    assert_array_equal(result[~mask], x[~mask])
    assert_array_equal(result[:, 0], x[:, 0])


def test_l0_counts_what_changed_in_the_dtype_that_was_seen():
    x = np.random.default_rng(1).uniform(0, 1, (2, 6))
    seen = x.astype(np.float32)
    adversarial = seen.copy()
    adversarial[:, 2] = 0.5
    result = rounded(adversarial, seen, x, norm="l0", eps=1.0)
    assert_array_equal((result != x).sum(1), 1)


def test_whole_numbers_stay_whole_and_inside():
    x = np.arange(12, dtype=np.uint8).reshape(2, 6) * 20
    seen = x.astype(np.float32)
    adversarial = np.clip(seen + np.float32(2.5), 0, 255)
    result = rounded(adversarial, seen, x, eps=2.5, bounds=(0.0, 255.0))
    assert result.dtype == np.uint8
    assert (np.abs(result.astype(int) - x) <= 2.5).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: a + 0.2, "left the linf ball in 2 of 2"),
        (lambda a: a + 5.0, "left the bounds"),
        (lambda a: a * np.nan, "NaN or infinity in 2 of 2"),
        (lambda a: a[:1], "one row per sample"),
    ],
)
def test_more_than_rounding_is_a_contract_error(change, says):
    x = np.full((2, 5), 0.5, dtype=np.float32)
    with pytest.raises(ContractError, match=says):
        rounded(change(x), x, x)
