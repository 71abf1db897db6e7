"""The random numbers: the same bits everywhere, random enough, keyed by sample, and nobody else's generator touched."""

import math
import random
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from armour_core.errors import ContractError
from armour_core.rng import Rng, key_of, mix, mix_int

N, SHAPE = 128, (128, 3, 32, 32)


def bound(backend: Any, seed: int = 0, index: Any = range(N), rank: int = 4, channel_axis: int | None = 1) -> Rng:
    return backend.rng(seed).bind(backend.asarray(np.array(index, np.int32)), rank, channel_axis)


def numpy_backend() -> Any:
    from armour_backends.numpy.backend import backend_for

    return backend_for()


# ---- the oracle: the definition in Python integers, one element at a time

LOWBIAS32 = {
    0x00000000: 0x00000000,
    0x00000001: 0x688990C0,
    0x00000002: 0xD1132181,
    0xDEADBEEF: 0xE628C683,
    0x7FFFFFFF: 0x8D29FFB8,
    0x80000000: 0xCC4B4124,
    0xFFFFFFFF: 0x6768824A,
}


def lowbias32(x: int) -> int:
    x &= 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def unit(key: int, sample: int, element: int) -> float:
    row = lowbias32(lowbias32(sample) ^ key)
    return (lowbias32(row ^ lowbias32(element * 0x9E3779B9)) >> 8) * 2.0**-24


def fold(key: int, salt: int, value: int) -> int:
    return lowbias32(key ^ lowbias32(value ^ salt))


def test_hash_of_known_numbers(backend: Any) -> None:
    for x, expected in LOWBIAS32.items():
        assert lowbias32(x) == expected
    some = np.array(
        [0, 1, 2, -1, 5, 2**31 - 1, -(2**31), *np.random.default_rng(0).integers(-(2**31), 2**31, 50)], np.int32
    )
    expected = np.array([lowbias32(int(x)) for x in some], np.uint32).view(np.int32)
    x = backend.asarray(some)
    np.testing.assert_array_equal(backend.to_numpy(backend.mix(x)), expected)
    np.testing.assert_array_equal(backend.to_numpy(mix(backend.xp, x)), expected)
    np.testing.assert_array_equal(backend.to_numpy(x), some)  # the argument is not written to
    np.testing.assert_array_equal([mix_int(int(v)) for v in some], expected)
    one = backend.mix(backend.asarray(np.int32(5)))
    assert (tuple(one.shape), one.dtype) == ((), backend.xp.int32)
    assert int(one) == mix_int(5)


def test_draw_is_what_the_definition_says(backend: Any) -> None:
    """At site 3 of rng(7).fork("a").at(2), samples 40 and 3, channels first: elements are numbered channels last."""
    rng = bound(backend, 7, [40, 3], 3, 1).fork("a").at(2)
    rng.uniform((2, 5))
    rng.uniform((2,))
    u = backend.to_numpy(rng.uniform((2, 3, 4)))
    key = fold(fold(key_of(7) & 0xFFFFFFFF, 0x2545F491, 0xE8B7BE43), 0x51ED270B, 2)  # 0xE8B7BE43: crc32(b"a")
    key = fold(key, 0x1B873593, 3 * 4)
    expected = [[[unit(key, i, e * 3 + c) for e in range(4)] for c in range(3)] for i in (40, 3)]
    np.testing.assert_array_equal(u, np.array(expected, np.float32))
    assert u.dtype == np.float32


def test_numbers_never_change() -> None:
    """Results in reports are reproduced from these: a change here is a new revision of every attack that draws."""
    rng = bound(numpy_backend(), 2024, range(3), 2, None)
    np.testing.assert_array_equal(
        rng.uniform((3, 2)) * 2**24, [[15348617, 3972710], [1591518, 10867942], [7481744, 3363612]]
    )
    np.testing.assert_array_equal(rng.integers((3,), 1000), [985, 646, 230])
    np.testing.assert_array_equal(
        rng.fork("step").at(9).permutation((3, 5)), [[3, 4, 0, 2, 1], [0, 1, 4, 3, 2], [0, 4, 3, 1, 2]]
    )


# ---- equal everywhere


@pytest.mark.parametrize(
    "shape",
    [(128,), (128, 1), (128, 3, 32, 32), (128, 2, 3, 32, 32), (128, 0), (128, 2, 2)],
    ids=lambda s: "x".join(map(str, s)),
)
def test_all_backends_draw_the_same_bits(backend: Any, shape: tuple[int, ...]) -> None:
    ours, theirs = bound(backend, 3), bound(numpy_backend(), 3)
    for a, b in ((ours, theirs), (ours.at(5).fork("x"), theirs.at(5).fork("x")), (ours.shared, theirs.shared)):
        np.testing.assert_array_equal(backend.to_numpy(a.uniform(shape)), b.uniform(shape))
        np.testing.assert_array_equal(backend.to_numpy(a.integers(shape, 17)), b.integers(shape, 17))
        np.testing.assert_array_equal(backend.to_numpy(a.permutation(shape)), b.permutation(shape))
        np.testing.assert_allclose(backend.to_numpy(a.normal(shape)), b.normal(shape), rtol=4e-7, atol=4e-7)


@pytest.mark.parametrize("shape", [(70_001,), (3, 70_001), (300, 500), (1, 3, 200, 200), (0, 4), (5, 0)])
def test_blocks_join_without_a_seam(backend: Any, shape: tuple[int, ...]) -> None:
    """The fast ways work block by block; plain operations over `mix` know no blocks."""

    class Plain:
        xp, asarray, mix = backend.xp, staticmethod(backend.asarray), staticmethod(backend.mix)

    if backend.name == "strict":
        pytest.skip("has no fast way")
    index = backend.asarray(np.arange(shape[0], dtype=np.int32))
    fast, plain = (Rng(b, 99, index, len(shape), None) for b in (backend, Plain()))
    np.testing.assert_array_equal(backend.to_numpy(fast.uniform(shape)), backend.to_numpy(plain.uniform(shape)))
    np.testing.assert_allclose(
        backend.to_numpy(fast.normal(shape)), backend.to_numpy(plain.normal(shape)), rtol=4e-7, atol=4e-7
    )


def test_tensor_keys_and_steps_are_the_same_as_ints(backend: Any) -> None:
    """A compiled step knows its number and its seed only as tensors."""
    number = backend.asarray(np.int32(11))
    plain = bound(backend, 5)
    seeded = Rng(backend, backend.rng(5).key, backend.asarray(np.arange(N, dtype=np.int32)), 4, 1)
    draws = [backend.to_numpy(rng.fork("step").at(k).uniform((N, 9))) for rng in (plain, seeded) for k in (11, number)]
    for other in draws[1:]:
        np.testing.assert_array_equal(other, draws[0])
    assert int(plain.at(number).key) == int(plain.at(11).key) == int(seeded.at(11).key)


@pytest.mark.parametrize("channel_axis", [1, -1])
def test_compiled_loop_draws_as_an_eager_one(backend: Any, channel_axis: int) -> None:
    xp = backend.xp

    def step(carry: Any, rows: Any, shared: Any, k: Any) -> Any:
        rng = Rng(backend, shared["key"], rows["index"], 2, None).at(k)
        return {"x": carry["x"] + rng.uniform((4, 6)), "z": rng.normal((4, 2)), "k": rng.integers((4,), 50)}

    start = {
        "x": xp.zeros((4, 6), dtype=xp.float32),
        "z": xp.zeros((4, 2), dtype=xp.float32),
        "k": xp.zeros((4,), dtype=xp.int32),
    }
    index = backend.asarray(np.arange(4, dtype=np.int32))
    end = backend.iterate(step)(start, {"index": index}, {"key": backend.rng(8).key}, 3, 5)
    expected, oracle = np.zeros((4, 6), np.float32), bound(numpy_backend(), 8, range(4), 2, None)
    for k in range(3, 8):
        rng = oracle.at(k)
        expected, z, whole = expected + rng.uniform((4, 6)), rng.normal((4, 2)), rng.integers((4,), 50)
    np.testing.assert_array_equal(backend.to_numpy(end["x"]), expected)
    np.testing.assert_allclose(backend.to_numpy(end["z"]), z, rtol=4e-7, atol=4e-7)
    np.testing.assert_array_equal(backend.to_numpy(end["k"]), whole)


# ---- keyed by sample


def test_draws_follow_the_sample_not_its_place(backend: Any) -> None:
    whole = backend.to_numpy(bound(backend).uniform((N, 5)))
    some = [17, 3, 100, 3]
    np.testing.assert_array_equal(backend.to_numpy(bound(backend, index=some).uniform((4, 5))), whole[some])
    np.testing.assert_array_equal(backend.to_numpy(bound(backend, index=[9]).uniform((1, 5))), whole[[9]])
    far = backend.to_numpy(bound(backend, index=[2**31 - 1, 10**6]).uniform((2, 5)))
    assert len(np.unique(far)) == 10


def test_more_draws_a_sample_begin_with_the_same(backend: Any) -> None:
    """(N, R) continues (N, R'): elements are numbered, not sampled."""
    few, many = (backend.to_numpy(bound(backend, rank=2, channel_axis=None).uniform((N, r))) for r in (4, 9))
    np.testing.assert_array_equal(many[:, :4], few)


@pytest.mark.parametrize("draw", ["uniform", "normal"])
@pytest.mark.parametrize("extra", [(), (5,)], ids=["", "many-rows"])
def test_layouts_start_alike(backend: Any, draw: str, extra: tuple[int, ...]) -> None:
    first = getattr(bound(backend, channel_axis=1), draw)((N, *extra, 3, 4, 6))
    last = getattr(bound(backend, channel_axis=3), draw)((N, *extra, 4, 6, 3))
    np.testing.assert_array_equal(np.moveaxis(backend.to_numpy(first), -3, -1), backend.to_numpy(last))


def test_shared_draws_ignore_the_batch(backend: Any) -> None:
    draws = [backend.to_numpy(bound(backend, index=range(n)).shared.uniform((3, 4, 4))) for n in (1, 7, 128)]
    draws.append(backend.to_numpy(backend.rng(0).shared.uniform((3, 4, 4))))
    assert draws[0].shape == (3, 4, 4)
    for other in draws[1:3]:
        np.testing.assert_array_equal(other, draws[0])
    assert set(draws[0].ravel()) == set(draws[3].ravel())  # unbound: without a layout, so in another order
    assert backend.to_numpy(bound(backend).shared.uniform(())).shape == ()
    last = backend.to_numpy(bound(backend, channel_axis=3).shared.uniform((4, 4, 3)))
    np.testing.assert_array_equal(np.moveaxis(draws[0], 0, -1), last)


def test_first_axis_must_be_the_samples(backend: Any) -> None:
    for shape in ((N + 1, 3), (N * 2,), ()):
        with pytest.raises(ContractError, match=r"first axis is the sample axis"):
            bound(backend).uniform(shape)


# ---- streams


def test_streams_are_apart_and_reproducible(backend: Any) -> None:
    def draws(rng: Rng) -> bytes:
        return backend.to_numpy(rng.uniform((N, 3))).tobytes()

    root = bound(backend)
    streams = {
        "itself": lambda: bound(backend),
        "seed": lambda: bound(backend, 1),
        "at 0": lambda: root.at(0),
        "at 1": lambda: root.at(1),
        "at -1": lambda: root.at(-1),
        "fork a": lambda: root.fork("a"),
        "fork b": lambda: root.fork("b"),
        "a then 1": lambda: root.fork("a").at(1),
        "1 then a": lambda: root.at(1).fork("a"),
        "1 then 2": lambda: root.at(1).at(2),
        "2 then 1": lambda: root.at(2).at(1),
        "a then b": lambda: root.fork("a").fork("b"),
        "b then a": lambda: root.fork("b").fork("a"),
    }
    found = {name: draws(make()) for name, make in streams.items()}
    assert len(set(found.values())) == len(found)
    assert {name: draws(make()) for name, make in streams.items()} == found
    twice = bound(backend)
    first, second = draws(twice), draws(twice)
    assert first == found["itself"]
    assert second not in found.values()


def test_children_do_not_advance_the_parent(backend: Any) -> None:
    a, b = bound(backend), bound(backend)
    a.fork("x").uniform((N,))
    a.at(3).uniform((N,))
    a.shared.uniform((3,))
    np.testing.assert_array_equal(backend.to_numpy(a.uniform((N,))), backend.to_numpy(b.uniform((N,))))


def test_seeds_of_any_size_differ() -> None:
    seeds = [*range(2000), *range(-2000, 0), *(2**p + d for p in (31, 32, 33, 64, 100) for d in (-1, 0, 1))]
    keys = [key_of(s) for s in seeds]
    assert len(set(keys)) == len(keys)
    assert all(-(2**31) <= k < 2**31 for k in keys)


def test_no_key_repeats_in_a_run() -> None:
    """Steps x sites x samples of one attack: a repeated row would repeat a perturbation."""
    root = numpy_backend().rng(0)
    keys = {
        root.fork("round").at(r).fork("step").at(k)._fold(0x1B873593, s * 4)
        for r in range(5)
        for k in range(500)
        for s in range(1, 4)
    }
    assert len(keys) == 5 * 500 * 3


# ---- random enough


@pytest.fixture(scope="module")
def batch() -> np.ndarray:
    return bound(numpy_backend(), 1).uniform((128, 3072)).astype(np.float64)


def test_uniform_is_uniform(batch: np.ndarray) -> None:
    flat = batch.ravel()
    assert 0 <= flat.min() < 1e-4
    assert 1 - 1e-4 < flat.max() < 1
    assert stats.kstest(flat, "uniform").pvalue > 1e-3
    assert stats.chisquare(np.histogram(flat, 4096, (0, 1))[0]).pvalue > 1e-3
    assert stats.kstest(bound(numpy_backend(), 2, range(100_000), 1).uniform((100_000,)), "uniform").pvalue > 1e-3
    rows = [stats.kstest(row, "uniform").pvalue for row in batch]  # every sample by itself, and the samples together
    assert stats.kstest(rows, "uniform").pvalue > 1e-3


def test_pairs_fill_the_square(batch: np.ndarray) -> None:
    for a, b in ((batch[:, :-1], batch[:, 1:]), (batch[:-1], batch[1:]), (batch[:, :-32], batch[:, 32:])):
        counts = np.histogram2d(a.ravel(), b.ravel(), 32, [[0, 1], [0, 1]])[0]
        assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_every_bit_is_a_fair_coin_apart_from_the_others(batch: np.ndarray) -> None:
    words = (batch.ravel() * 2**24).astype(np.uint32)
    coins = ((words[:, None] >> np.arange(24)) & 1) - 0.5
    together = coins.T @ coins / len(coins) * 4
    bound_ = 5 / math.sqrt(len(coins))
    assert np.abs(coins.mean(0) * 2).max() < bound_
    assert np.abs(together - np.eye(24)).max() < bound_


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """In standard deviations of independent draws."""
    return float(abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) * math.sqrt(a.size))


@pytest.mark.parametrize("lag", [1, 2, 3, 31, 32, 33, 96, 1024, 3072, 3073, 2 * 3072])
def test_lags_are_uncorrelated(batch: np.ndarray, lag: int) -> None:
    flat = batch.ravel()
    assert correlation(flat[:-lag], flat[lag:]) < 4.5


def test_samples_are_uncorrelated(batch: np.ndarray) -> None:
    between = np.corrcoef(batch)[np.triu_indices(len(batch), 1)] * math.sqrt(batch.shape[1])
    assert np.abs(between).max() < 5.5  # of 8128 pairs
    assert stats.kstest(between, "norm").pvalue > 1e-3


def test_sites_steps_seeds_and_streams_are_uncorrelated() -> None:
    backend = numpy_backend()
    root, shape = bound(backend, 0), (128, 3072)
    draws = [root.uniform(shape), root.uniform(shape), bound(backend, 1).uniform(shape), root.fork("a").uniform(shape)]
    draws += [root.at(k).uniform(shape) for k in range(4)] + [np.broadcast_to(root.shared.uniform((3072,)), shape)]
    for i, a in enumerate(draws):
        for b in draws[:i]:
            assert correlation(a, b) < 5
            assert (a == b).mean() < 1e-5


def test_normal_moments() -> None:
    rng = bound(numpy_backend(), 4, range(1000), 2, None)
    z = rng.normal((1000, 500)).astype(np.float64)
    count = z.size
    assert abs(z.mean()) < 5 / math.sqrt(count)
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((z**3).mean()) < 5 * math.sqrt(15 / count)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / count)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert np.isfinite(z).all()
    assert 4 < np.abs(z).max() < 6
    assert correlation(z, rng.normal((1000, 500))) < 5


# ---- ranges


def test_uniform_bounds(backend: Any) -> None:
    u = backend.to_numpy(bound(backend).uniform((N, 50), -0.25, 4.0))
    assert u.dtype == np.float32
    assert -0.25 <= u.min() < 0
    assert 3.9 < u.max() <= 4.0
    low = backend.asarray(np.arange(N, dtype=np.float32).reshape(N, 1))
    floor = np.floor(backend.to_numpy(bound(backend).uniform((N, 3), low, low + 1.0)))
    assert ((floor == np.arange(N)[:, None]) | (floor == np.arange(N)[:, None] + 1)).all()


@pytest.mark.parametrize("n", [1, 2, 7, 3072, 2**24])
def test_integers_hit_their_whole_range_and_no_more(backend: Any, n: int) -> None:
    draws = backend.to_numpy(bound(backend, 6).integers((N, 100), n))
    assert draws.dtype == np.int32
    assert draws.min() >= 0
    assert draws.max() < n
    if 1 < n < 100:
        assert stats.chisquare(np.bincount(draws.ravel(), minlength=n)).pvalue > 1e-3
        assert set(draws.ravel()) == set(range(n))
    for many in (np.int32(n), np.full((N, 1), n, np.int32), np.full((N, 1), n, np.int64)):
        np.testing.assert_array_equal(
            backend.to_numpy(bound(backend, 6).integers((N, 100), backend.asarray(many))), draws
        )


def test_integers_below_a_number_of_each_sample(backend: Any) -> None:
    n = np.arange(1, N + 1, dtype=np.int32).reshape(N, 1)
    draws = backend.to_numpy(bound(backend).integers((N, 400), backend.asarray(n)))
    assert (draws >= 0).all()
    assert (draws < n).all()
    assert (draws.max(axis=1)[:20] == n[:20, 0] - 1).all()


@pytest.mark.parametrize("n", [0, -1, 2**24 + 1])
def test_integers_refuse_what_24_bits_cannot_draw(backend: Any, n: int) -> None:
    with pytest.raises(ContractError, match="24 bits"):
        bound(backend).integers((N,), n)


def test_permutations_are_permutations(backend: Any) -> None:
    order = backend.to_numpy(bound(backend, 9).permutation((N, 2, 20)))
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order, axis=-1), np.broadcast_to(np.arange(20), (N, 2, 20)))
    assert len({row.tobytes() for row in order.reshape(-1, 20)}) == 2 * N
    three = backend.to_numpy(bound(backend, 9, range(6000), 2, None).permutation((6000, 3))) @ [9, 3, 1]
    assert stats.chisquare(np.unique(three, return_counts=True)[1]).pvalue > 1e-3


# ---- nobody else's


def test_global_generators_are_untouched(backend: Any) -> None:
    def states() -> list[Any]:
        found = [random.getstate(), *map(np.ndarray.tobytes, [np.asarray(np.random.get_state()[1])])]
        if "torch" in sys.modules:
            found.append(sys.modules["torch"].get_rng_state().numpy().tobytes())
        if "tensorflow" in sys.modules:
            found.append(sys.modules["tensorflow"].random.get_global_generator().state.numpy().tobytes())
        return found

    before = states()
    rng = bound(backend).at(1)
    for draw in (rng.uniform, rng.normal, rng.permutation, rng.shared.uniform):
        draw((N, 3))
    rng.integers((N,), 3)
    assert states() == before


def test_tensorflow_op_seeds_are_untouched(tensorflow_backend: Any) -> None:
    """Eager random operations of TensorFlow count themselves: ours must not be among them."""
    tf = sys.modules["tensorflow"]
    found = []
    for ours in (False, True):
        tf.random.set_seed(3)
        if ours:
            bound(tensorflow_backend).normal((N, 3))
        found.append(tf.random.uniform((4,)).numpy())
    np.testing.assert_array_equal(*found)
