from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from wild_use import do

from statehold.loading.sidecar import Limits, Reason, SidecarError, Sidecars
from statehold.sdk import StorageError
from statehold.testing import OpenStorage, open_storage

Wild = Callable[..., OpenStorage]


def test_more_callers_than_lanes_are_all_answered(wild: Wild) -> None:
    opened = wild()
    answers: list[str | None] = []

    def ask() -> None:
        answers.extend(do(opened, f"eval {number}") for number in range(50))

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answers) == sorted(str(number) for number in range(50) for _ in threads)


def test_who_finds_every_lane_taken_is_told_so(wild: Wild) -> None:
    opened = wild(limits=Limits(deadline=2.0))
    readings = [opened.facade.read(opened.key(1, What="rows 5000 100")) for _ in range(40)]
    for reading in readings:
        next(reading)
    with pytest.raises(SidecarError, match="lanes of the sidecar") as caught:
        next(opened.facade.read(opened.key(1, What="rows 1 1")))
    assert caught.value.reason is Reason.BUSY
    for reading in readings:
        reading.close()
    assert len(list(opened.facade.read(opened.key(1, What="rows 3 1")))) == 3


def test_slow_readers_take_no_lane_from_calls(wild: Wild) -> None:
    opened = wild(limits=Limits(deadline=30.0))
    do(opened, "pid")
    readings = [opened.facade.read(opened.key(1, What="rows 5000 100")) for _ in range(40)]
    for reading in readings:
        next(reading)
    test_more_callers_than_lanes_are_all_answered(lambda: opened)
    for reading in readings:
        reading.close()
    assert do(opened, "pid")


def test_a_slow_reader_keeps_the_storage_from_going_on(wild: Wild) -> None:
    opened = wild()
    reading = opened.facade.read(opened.key(1, What="rows 100000 1000"))
    next(reading)
    produced = int(do(opened, "eval self.produced") or 0)
    assert produced < 2000
    assert 1 + sum(1 for _ in reading) == 100_000


def test_a_read_that_is_left_in_the_middle_ends_in_the_storage(wild: Wild) -> None:
    opened = wild()
    reading = opened.facade.read(opened.key(1, What="rows 100000 1000"))
    next(reading)
    reading.close()
    assert do(opened, "closed") == "True"


def test_an_error_in_the_middle_of_a_read_comes_after_the_rows_before_it(wild: Wild) -> None:
    opened = wild()
    with pytest.raises(StorageError, match="no"):
        list(opened.facade.read(opened.key(1, What="raise StorageError")))
    assert do(opened, "pid")


def test_rows_of_a_read_arrive_in_order_whatever_their_size(wild: Wild) -> None:
    opened = wild()
    for count, size in ((0, 0), (1, 3 << 20), (20, 300_000), (3000, 10)):
        rows = list(opened.facade.read(opened.key(1, What=f"rows {count} {size}")))
        assert [key["What"] for key, _ in rows] == [str(number) for number in range(count)]
        assert {len(str(value["Text"])) for _, value in rows} <= {size}


def test_a_storage_that_is_unwell_says_so_when_it_is_probed(wild: Wild) -> None:
    opened = wild()
    opened.storage.probe()
    opened.insert(opened.key(1, What="unwell"), opened.value(Text="x"))
    with pytest.raises(StorageError, match="unwell"):
        opened.storage.probe()


def test_an_error_of_free_comes_back(shared: Sidecars, wild_file: Path) -> None:
    with (
        shared.load_file(wild_file, owner="acme.bills 1") as plugin,
        pytest.raises(StorageError, match="cannot be freed"),
        open_storage(plugin.providers["Wild"]) as opened,
    ):
        opened.insert(opened.key(1, What="bad"), opened.value(Text="x"))


def test_a_new_version_reads_what_the_one_before_holds_while_it_opens(wild: Wild) -> None:
    old = wild()
    old.insert(old.key(1, What="a"), old.value(Text="kept"))
    new = wild(existing=old.storage)
    row = {"Text": "kept"}
    assert do(new, "existing") == repr([row, [row, None], [({"WSID": 1, "What": "a"}, row)]])
    assert do(new, "eval ctx.existing") == "None"


def test_lanes_that_nobody_has_used_for_a_while_are_closed_but_for_one(wild: Wild) -> None:
    opened = wild()
    group = opened.storage.group
    process = group.lanes.process
    readings = [opened.facade.read(opened.key(1, What="rows 3 1")) for _ in range(6)]
    for reading in readings:
        next(reading)
    for reading in readings:
        assert len(list(reading)) == 2
    assert process.lanes >= 6
    # One of them may be in use just then, to ask whether the process still answers.
    end = time.monotonic() + 60
    while process.lanes > 1 and time.monotonic() < end:
        group.lanes.close_quiet(process)
    assert process.lanes == 1
    assert do(opened, "eval 1 + 1") == "2"
    test_more_callers_than_lanes_are_all_answered(lambda: opened)
