"""Every race runs with tiny sizes, and the page is written between its markers. Nothing here is timed."""

import importlib

import attrs
import pytest

from benchmarks import startup, table
from benchmarks.__main__ import FRAMEWORKS, PAGE, RACES
from benchmarks.digits import digits
from benchmarks.rows import Row
from benchmarks.settings import TINY
from benchmarks.timing import Contender, Course


@pytest.fixture(scope="module", params=FRAMEWORKS)
def side(request):
    pytest.importorskip(request.param)
    return importlib.import_module(f"benchmarks.frameworks.{request.param}").side(TINY)


@pytest.mark.full
@pytest.mark.parametrize("name", RACES)
def test_a_race_gives_rows_with_armour_in_each(side, name):
    """A peer that is not installed costs its own rows only."""
    course = Course(framework=side.name, repeats=1)
    importlib.import_module(f"benchmarks.races.{name}").race(side, course, TINY)
    assert course.rows or name == "hopskipjump"
    for row in course.rows:
        assert row.note.startswith("does not run here") if row.ours is None else row.ratio > 0


@pytest.mark.full
def test_listing_imports_no_framework():
    (row,) = startup.rows(attrs.evolve(TINY, repeats=1))
    assert startup.frameworks_imported() == []
    assert row.ratio > 0


def test_a_peer_that_fails_says_why_and_the_others_go_on():
    def broken():
        raise ImportError("no module named peer\nand more")

    course = Course(framework="python", repeats=2)
    others = [Contender("broken", broken), Contender("whole", lambda: sum(range(1000)))]
    course.race("a race", lambda: sum(range(1000)), others)
    broken_row, whole_row = course.rows
    assert broken_row.note == "does not run here: ImportError: no module named peer"
    assert broken_row.ratio is None
    assert whole_row.ratio > 0


def test_armour_that_fails_is_an_error():
    def broken():
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        Course(framework="python", repeats=1).race("a race", broken, [])


def test_a_figure_is_met_up_to_its_number():
    row = Row(framework="torch", what="w", beside="b", ours=1.0, theirs=1.0, figure=1.0)
    assert row.met is True
    assert attrs.evolve(row, ours=1.01).met is False
    assert attrs.evolve(row, figure=None).met is None
    assert attrs.evolve(row, ours=None).ratio is None


def test_the_page_is_written_between_its_markers_alone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: cpu -->\nold\n<!-- end: cpu -->\nafter\n")
    rows = [Row(framework="torch", what="PGD", beside="a loop", ours=0.02, theirs=0.01, figure=1.05)]
    table.written(page, "cpu", table.rendered(rows, ["Machine: small."]))
    text = page.read_text()
    assert text.startswith("before\n<!-- begin: cpu -->")
    assert text.endswith("<!-- end: cpu -->\nafter\n")
    assert "old" not in text
    assert "| a loop | 20 ms | 10 ms | 2.00 | ≤ 1.05 **missed** |" in text
    with pytest.raises(ValueError, match="begin: gpu"):
        table.written(page, "gpu", "x")


def test_the_page_has_the_markers():
    text = PAGE.read_text()
    for block in ("cpu", "gpu"):
        assert f"<!-- begin: {block} -->" in text
        assert f"<!-- end: {block} -->" in text


def test_digits_without_mnist_are_real_ones_of_the_same_shape(tmp_path):
    pytest.importorskip("sklearn")
    found = digits(100, tmp_path / "absent.npz")
    assert found.x_train.shape == (100, 28, 28)
    assert found.x_test.shape[1:] == (28, 28)
    assert 0 <= found.x_test.min() <= found.x_test.max() == 1
