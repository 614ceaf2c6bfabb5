"""Which memory of a process its children may share."""

from __future__ import annotations

import mmap
import os
from ctypes import addressof, c_char

from statehold.loading.sidecar.child._memory import PAGE, Area, _Pool, are_of, full_then, joined

POOL = 16 * 1024


def test_areas_that_follow_one_another_are_one() -> None:
    assert joined([Area(0, 2), Area(2, 3), Area(5, 6)]) == [Area(0, 3), Area(5, 6)]


def test_a_pool_that_was_not_full_when_it_was_copied_is_not_shared() -> None:
    with mmap.mmap(-1, 4 * POOL) as copy:
        start = addressof(c_char.from_buffer(copy))
        for number in range(4):
            pool = _Pool.from_address(start + number * POOL)
            pool.size, pool.used, pool.free = 1, (POOL - 48) // 32, None
            pool.last, pool.next = POOL - 32, POOL
        pool = _Pool.from_address(start + 2 * POOL)
        pool.free = start + 2 * POOL + 64

        area = Area(POOL, 5 * POOL)
        assert full_then(area, start) == [Area(POOL, 3 * POOL), Area(4 * POOL, 5 * POOL)]


def test_memory_is_known_by_its_file_in_memory() -> None:
    file = os.memfd_create("of.the.test")
    try:
        os.ftruncate(file, 2 * PAGE)
        with mmap.mmap(file, 2 * PAGE, flags=mmap.MAP_PRIVATE) as mapped, mmap.mmap(-1, PAGE) as other:
            start = addressof(c_char.from_buffer(mapped))
            own = [Area(start, start + PAGE), Area(start + PAGE, start + 2 * PAGE)]
            assert are_of("of.the.test", own)
            elsewhere = addressof(c_char.from_buffer(other))
            assert not are_of("of.the.test", [*own, Area(elsewhere, elsewhere + PAGE)])
            assert not are_of("of.another", own)
    finally:
        os.close(file)
