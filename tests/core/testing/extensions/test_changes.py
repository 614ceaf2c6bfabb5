"""Changes are compared exactly, and a difference is told so that one sees what is wrong."""

from __future__ import annotations

import pytest

from statehold.testing.extensions import Insert, Run, Update


def run_of(*changes):
    return Run(
        who="COMMAND shop.Sell",
        changes=changes,
        results=(),
        status=200,
        message="",
        log=(),
        commit=lambda: None,
    )


def test_changes_are_equal_that_ask_for_the_same():
    assert Insert("Bills", Number=1, Note=None, Tags=()) == Insert("Bills", Number=1)
    assert Insert("Bills", Number=1) != Update("Bills", Number=1)
    assert Insert("Bills", Number=1) != Insert("Rates", Number=1)
    assert Insert("Bills", Number=1) != Insert("Bills", Number=2)
    assert len({Insert("Bills", Number=1), Insert("Bills", Number=1, Note=None)}) == 1


def test_an_update_that_clears_a_field_is_not_one_that_leaves_it():
    assert Update("Bills", Number=1, Note=None) != Update("Bills", Number=1)


def test_a_change_shows_itself_as_it_is_written():
    assert repr(Update("Bills", Number=1, Note=None)) == "Update('Bills', Number=1, Note=None)"


def test_exactly_the_expected_changes_pass_in_any_order():
    run = run_of(Insert("A", X=1), Insert("B", X=2), Insert("A", X=1))
    run.expect(Insert("B", X=2), Insert("A", X=1), Insert("A", X=1))
    run_of().expect()


def test_a_difference_is_told_with_the_nearest_change_and_its_fields():
    run = run_of(Update("Bills", Number=1, PaidIn="EUR", Total=3), Insert("Locks", Table=7))
    with pytest.raises(AssertionError) as caught:
        run.expect(Update("Bills", Number=1, PaidIn="USD"), Insert("Tables", Number=1))
    assert str(caught.value) == (
        "COMMAND shop.Sell asks for other changes than expected\n"
        "  expected, and not asked for:\n"
        "    Update('Bills', Number=1, PaidIn='USD')\n"
        "      PaidIn: expected 'USD', got 'EUR'\n"
        "      Total: expected nothing, got 3\n"
        "    Insert('Tables', Number=1)\n"
        "  asked for, and not expected:\n"
        "    Update('Bills', Number=1, PaidIn='EUR', Total=3)\n"
        "    Insert('Locks', Table=7)"
    )


def test_an_insert_in_place_of_an_update_is_told():
    with pytest.raises(AssertionError, match="the nearest is an Insert, not an Update"):
        run_of(Insert("Bills", Number=1)).expect(Update("Bills", Number=1))


def test_a_change_too_many_is_told():
    with pytest.raises(AssertionError, match=r"(?s)not expected:\n    Insert\('Bills', Number=1\)$"):
        run_of(Insert("Bills", Number=1), Insert("Bills", Number=1)).expect(Insert("Bills", Number=1))
