import pytest

from armour_core.findings import Measure
from armour_core.wording import briefly, listed, percent, plural, share


@pytest.mark.parametrize(
    ("k", "n", "says"),
    [
        (0, 10, "none"),
        (10, 10, "all"),
        (0, 0, "none of 0"),
        (9, 10, "9 of 10"),
        (799, 1000, "8 of 10"),
        (356, 1000, "36 of 100"),
        (97, 100, "97 of 100"),
        (4, 100, "4 of 100"),
        (42, 96, "42 of 96"),
        (1, 3, "1 of 3"),
        (1, 1000, "fewer than 1 of 100"),
        (999, 1000, "more than 99 of 100"),
    ],
)
def test_a_share_is_said_in_round_figures_and_never_rounded_to_none_or_all(k, n, says):
    assert share(k, n) == says


def test_no_share_is_said_more_than_two_and_a_half_points_off():
    for k in range(1, 1000):
        count, of, total = share(k, 1000).removeprefix("fewer than ").removeprefix("more than ").split()
        assert of == "of"
        assert abs(int(count) / int(total) - k / 1000) <= 0.025


def test_a_measure_is_written_with_its_interval():
    measure = Measure.rate("robust_accuracy", 33, 600, "samples")
    assert percent(measure) == "5.5% (95% interval 3.9 to 7.6%)"
    assert briefly(measure) == "5.5% (3.9–7.6)"
    bare = Measure(metric="m", value=0.5)
    assert percent(bare) == briefly(bare) == "50.0%"


def test_lists_and_plurals():
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert (plural(1, "attack"), plural(2, "attack")) == ("1 attack", "2 attacks")
