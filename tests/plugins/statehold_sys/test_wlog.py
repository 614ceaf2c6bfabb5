from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from statehold.sdk import StorageError
from statehold.testing import OpenStorage, open_storage
from statehold_sys.wlog import provider


@pytest.fixture
def log(bills: str) -> Iterator[OpenStorage]:
    """Yield the log of workspace 1: it was made, then five bills were paid; that of 2 only has its making."""
    with open_storage(provider, declarations=bills) as opened:
        memory = opened.memory
        assert memory is not None
        for number in range(5):
            with memory.writing() as unit:
                unit.insert(1, memory.schemas["test.Bill"].rows.value(Number=number))
                argument = memory.schemas["test.PaidBill"].rows.value(Number=number)
                unit.append("test.Pay", 1, registered_at=100 + number, argument=argument)
        yield opened


def offsets(log: OpenStorage, **key: Any) -> list[tuple[int, int]]:
    return [(row.Offset, value.Offset) for row, value in log.facade.read(log.prefix(1, **key))]


def test_an_event_is_found_by_its_offset_in_the_workspace(log: OpenStorage) -> None:
    """The offset is that of the workspace's log, whatever stands in the partition's."""
    event = log.facade.get(log.key(1, Offset=3))
    assert event is not None
    assert (event.Offset, event.QName, event.RegisteredAt, event.ArgumentObject.Number) == (
        3,
        "test.Pay",
        101,
        1,
    )
    (bill,) = event.CUDs
    assert (bill.IsNew, bill.Number, bill["sys.QName"]) == (True, 1, "test.Bill")


def test_what_the_log_does_not_have_is_none(log: OpenStorage) -> None:
    """Before its beginning, behind its end, and in another workspace."""
    for workspace, offset in ((1, 0), (1, 7), (1, 2**63 - 1), (2, 3), (99, 1)):
        assert log.facade.get(log.key(workspace, Offset=offset)) is None


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"Offset": 4}, [4, 5, 6]),
        ({"Offset": 4, "Count": 2}, [4, 5]),
        ({"Offset": 0, "Count": 2}, [1, 2]),
        ({"Offset": 5, "Count": 0}, [5, 6]),
        ({"Offset": 5, "Count": 100}, [5, 6]),
        ({"Offset": 7}, []),
    ],
)
def test_read_yields_count_events_from_an_offset_on(
    log: OpenStorage, key: dict[str, int], found: list[int]
) -> None:
    """Without Count, or with 0, all there are; the key of each has its own offset."""
    assert offsets(log, **key) == [(offset, offset) for offset in found]


def test_a_read_may_be_left_at_any_event(log: OpenStorage) -> None:
    """And yields what it has looked at, no more."""
    reading = log.facade.read(log.prefix(1))
    assert [row.Offset for row, _ in islice(reading, 2)] == [1, 2]
    reading.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", [{"Offset": -1}, {"Offset": 1, "Count": -1}])
def test_a_negative_number_is_an_error(log: OpenStorage, key: dict[str, int]) -> None:
    """Rather than the whole log."""
    with pytest.raises(StorageError, match="got -1"):
        log.facade.read(log.prefix(1, **key))
