"""When finished rows are left behind: arithmetic, and that results never depend on it."""

import pytest
from numpy.testing import assert_allclose, assert_array_equal

import armour_core as armour
from armour_core.engine.pace import Pace


def test_where_any_number_will_do_rows_leave_once_a_quarter_is_finished():
    pace = Pace(static=False, limit=128)
    assert pace.rows_for(100, 10, 128) == 128
    assert pace.rows_for(96, 10, 128) == 96
    assert pace.rows_for(7, 10) == 7


def test_a_new_shape_must_be_repaid_by_the_steps_that_are_left():
    pace = Pace(static=True, limit=128)
    assert pace.rows_for(100, 40) == 128  # nothing known: the bucket
    pace.note(128, 2, 1.0)  # the first chunk holds the compiling
    assert pace.rows_for(20, 1000, 128) == 128  # not measured yet: stay
    pace.note(128, 4, 0.04)
    assert pace.rows_for(20, 1000, 128) == 32  # saves 7.5 s for 1 s
    assert pace.rows_for(20, 100, 128) == 128  # saves 0.75 s
    pace.note(32, 2, 1.0)
    assert pace.rows_for(20, 100, 128) == 32  # compiled already
    assert pace.rows_for(3, 50, 32) == 32
    assert pace.rows_for(100, 10) == 128  # a last, smaller batch goes into a shape that is there


@pytest.mark.parametrize("compiling", [0.0, 1e9])
def test_results_do_not_depend_on_when_rows_leave(engine, monkeypatch, compiling):
    case = engine.many_class(n=23)
    attack = armour.create("attack", "square", steps=25)
    plain = armour.run_attack(attack, case.model, case.x, case.y, eps=0.3, batch_size=16)
    note = Pace.note

    def biased(self, rows, steps, seconds):
        note(self, rows, steps, seconds)
        self.compiling = compiling

    monkeypatch.setattr(Pace, "note", biased)
    other = armour.run_attack(attack, engine.many_class(n=23).model, case.x, case.y, eps=0.3, batch_size=16)
    assert_array_equal(other.success, plain.success)
    assert_array_equal(other.queries.forward, plain.queries.forward)
    assert_allclose(other.x_adv(), plain.x_adv(), atol=1e-5)
