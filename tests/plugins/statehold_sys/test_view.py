from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from statehold.events import WorkspaceError
from statehold.sdk import Key, SchemaError
from statehold.testing import MemoryApp, OpenStorage, open_storage
from statehold_sys.view import provider


@pytest.fixture
def view(bills: str) -> Iterator[OpenStorage]:
    """Yield the view Turnover of workspace 1 and 2, with a row for some days of two years."""
    with open_storage(provider, declarations=bills, entity="test.Turnover") as opened:
        days = [
            (2025, 3, "a"),
            (2026, -1, "b"),
            (2026, 1, "a"),
            (2026, 1, "ab"),
            (2026, 10, "a"),
            (2026, 2, ""),
        ]
        opened.apply(
            [
                opened.facade.insert(key(opened, year, day, guest), {"Total": day * 10})
                for year, day, guest in days
            ]
        )
        yield opened


def key(view: OpenStorage, year: int, day: int, guest: str = "a", *, workspace: int = 1) -> Key:
    return view.key(workspace, Year=year, Kind="test.Food", Day=day, Guest=guest)


def read(view: OpenStorage, workspace: int = 1, **given: Any) -> list[tuple[int, str]]:
    return [(row.Day, row.Guest) for row, _ in view.facade.read(view.prefix(workspace, **given))]


def test_read_takes_a_partition_key_and_clustering_columns_from_the_left(view: OpenStorage) -> None:
    """In their order: numbers by size, texts by their characters."""
    of_the_year = {"Year": 2026, "Kind": "test.Food"}
    assert read(view, **of_the_year) == [(-1, "b"), (1, "a"), (1, "ab"), (2, ""), (10, "a")]
    assert read(view, **of_the_year, Day=1) == [(1, "a"), (1, "ab")]
    assert read(view, **of_the_year, Day=1, Guest="a") == [(1, "a")]
    assert read(view, **of_the_year, Day=3) == []
    assert read(view, 2, **of_the_year) == []


@pytest.mark.parametrize("given", [{}, {"Year": 2026}])
def test_read_without_the_whole_partition_key_is_an_error(view: OpenStorage, given: dict[str, Any]) -> None:
    """Which fields are missing is said."""
    with pytest.raises(SchemaError, match="partition key"):
        read(view, **given)


def test_a_batch_is_answered_in_its_order_from_all_its_workspaces(view: OpenStorage) -> None:
    """Duplicates and what is missing included."""
    view.insert(key(view, 2026, 1, workspace=2), {"Total": 7})
    keys = [
        key(view, 2026, 1, workspace=2),
        key(view, 2026, 1),
        key(view, 1999, 1),
        key(view, 2026, 1, workspace=2),
    ]
    answers = view.facade.get_batch(keys)
    assert [answer and answer.Total for answer in answers] == [7, 10, None, 7]


def test_insert_replaces_a_row_whole_and_update_keeps_what_it_does_not_name(view: OpenStorage) -> None:
    """Also in one batch, in its order."""
    at = key(view, 2026, 1)
    view.insert(at, {"Paid": True})
    assert view.facade.get(at) == view.value(Paid=True)
    view.update(at, view.value(Paid=True), {"Total": 3})
    assert view.facade.get(at) == view.value(Paid=True, Total=3)
    existing = view.facade.get(at)
    assert existing is not None
    view.apply([view.facade.insert(at, {"Note": "x"}), view.facade.update(at, existing, {"Total": 4})])
    assert view.facade.get(at) == view.value(Paid=True, Total=4)


def test_what_a_call_writes_it_reads_again_and_nobody_else_before_the_commit(bills: str) -> None:
    """Staged into the call's unit, all of it is there at once after the commit."""
    with open_storage(provider, declarations=bills, entity="test.Turnover") as opened:
        memory = opened.memory
        assert memory is not None
        at = key(opened, 2026, 1)
        calls = opened.facade
        with memory.writing() as unit:
            call = _call(unit)
            bound = opened.storage.for_call(call)  # type: ignore[attr-defined]
            bound.apply_batch([calls.insert(at, {"Total": 1})])
            assert bound.get(at) == opened.value(Total=1)
            assert [row for row, _ in bound.read(opened.prefix(1, Year=2026, Kind="test.Food"))] == [at]
            assert calls.get(at) is None
        assert calls.get(at) == opened.value(Total=1)


@pytest.mark.parametrize("workspace", [3, 99])
def test_a_workspace_that_does_not_have_the_view_is_an_error(bills: str, workspace: int) -> None:
    """One of another kind, and one that is not there: for every operation."""
    with open_storage(provider, declarations=bills, entity="test.Turnover") as opened:
        other = MemoryApp(bills, entity="test.Item")
        memory = opened.memory
        assert memory is not None
        other.data = memory.data
        other.add_workspaces([3])
        at = key(opened, 2026, 1, workspace=workspace)
        intents = [opened.facade.insert(at, {})]
        for use in (
            lambda: opened.facade.get(at),
            lambda: opened.facade.get_batch([at]),
            lambda: opened.facade.read(at),
            lambda: opened.writer.validate(intents),
            lambda: opened.writer.apply_batch(intents),
        ):
            with pytest.raises(WorkspaceError) as caught:
                use()
            assert caught.value.workspace == workspace


def _call(unit: Any) -> Any:
    from statehold.sdk import CallContext, Scope

    return CallContext(scope=Scope.PROJECTORS, workspace=1, extension="test.Fill", unit=unit)
