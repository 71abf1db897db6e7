"""Confidence intervals for a rate: k of n."""

from scipy.special import betaincinv, ndtri

from armour_core.errors import ConfigError


def wilson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score interval for the probability behind `k` successes in `n` trials.

    Centre (k + z²/2) / (n + z²), half width z / (n + z²) · sqrt(k (n - k) / n + z²/4), with z the normal quantile of
    `level`. Its coverage is close to `level` on average over the probability, also for k = 0 and k = n.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

    Returns (low, high), both in [0, 1]; (0, 1) for n = 0: nothing was learnt. Raises ConfigError unless 0 <= k <= n and
    0 < level < 1.

    >>> tuple(round(bound, 4) for bound in wilson(9, 10))
    (0.5958, 0.9821)
    """
    _check(k, n, level)
    if n == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    centre = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float((k * (n - k) / n + z * z / 4) ** 0.5)
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def clopper_pearson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval: coverage is never below `level`, whatever the probability. Wider than Wilson's; for guarantees.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934). The bounds are beta quantiles.

    Returns and raises as `wilson` does.

    >>> tuple(round(bound, 4) for bound in clopper_pearson(0, 10))
    (0.0, 0.3085)
    """
    _check(k, n, level)
    if n == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def _check(k: int, n: int, level: float) -> None:
    if not 0 <= k <= n:
        raise ConfigError(f"An interval for {k} of {n}: the count must lie between 0 and the number of trials.")
    if not 0 < level < 1:
        raise ConfigError(f"Confidence level {level!r}: use a number between 0 and 1, such as 0.95.")
