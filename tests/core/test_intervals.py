import numpy as np
import pytest
from scipy.stats import binom, binomtest

from armour_core.errors import ConfigError
from armour_core.intervals import clopper_pearson, wilson

CASES = [(0, 1), (1, 1), (0, 10), (9, 10), (10, 10), (3, 7), (500, 1000), (1, 100_000)]


@pytest.mark.parametrize(("k", "n"), CASES)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("ours", "method"), [(wilson, "wilson"), (clopper_pearson, "exact")])
def test_scipy_gives_the_same_interval(k, n, level, ours, method):
    theirs = binomtest(k, n).proportion_ci(level, method=method)
    np.testing.assert_allclose(ours(k, n, level), (theirs.low, theirs.high), atol=1e-12)


def test_wilson_against_published_values():
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (k, n), bounds in published.items():
        np.testing.assert_allclose(wilson(k, n), bounds, atol=5e-5)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_an_interval_holds_the_rate_and_mirrors(interval):
    for n in (1, 2, 17, 300):
        for k in range(n + 1):
            low, high = interval(k, n)
            assert 0 <= low <= k / n <= high <= 1
            np.testing.assert_allclose(interval(n - k, n), (1 - high, 1 - low), atol=1e-12)


@pytest.mark.parametrize("probability", [0.01, 0.1, 0.37, 0.5, 0.93])
def test_clopper_pearson_covers_at_least_its_level(probability):
    n = 60
    k = np.arange(n + 1)
    low, high = np.array([clopper_pearson(int(count), n) for count in k]).T
    assert binom.pmf(k, n, probability)[(low <= probability) & (probability <= high)].sum() >= 0.95


def test_wilson_covers_its_level_on_average_over_the_probability():
    n = 60
    k = np.arange(n + 1)
    low, high = np.array([wilson(int(count), n) for count in k]).T
    grid = np.linspace(0.005, 0.995, 199)
    coverage = [binom.pmf(k, n, p)[(low <= p) & (p <= high)].sum() for p in grid]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_no_trials_teach_nothing(interval):
    assert interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize(
    ("k", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (2, 5, 0.0), (2, 5, 1.0), (2, 5, float("nan"))]
)
def test_impossible_counts_and_levels_are_refused(interval, k, n, level):
    with pytest.raises(ConfigError):
        interval(k, n, level)
