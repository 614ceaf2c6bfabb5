"""The memory of this process as the kernel and the allocators see it, without a line of C."""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import POINTER, Structure, addressof, byref, c_char, c_int, c_long, c_size_t, c_void_p, sizeof
from itertools import starmap
from pathlib import Path
from typing import Any, Final

import attrs

from statehold.loading.sandbox import machine

PAGE: Final = mmap.PAGESIZE
WORD: Final = 8

_FIXED: Final = 0x10
_DONTNEED: Final = 4
_POPULATE_READ: Final = 22
_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3
_WITH_SYMBOL: Final = 1
_WRITE: Final = 0x200
_READ_WRITE: Final = mmap.PROT_READ | mmap.PROT_WRITE
#: What Python and the C library allocate: the largest object of Python's own pools, the largest hole.
_SMALL: Final = 512
_STEP: Final = 16
_POOL: Final = 16 * 1024
_BYTES: Final = tuple(range(1, _SMALL - 33, _STEP))
_LARGE: Final = 64 * 1024
_HUGE: Final = 128 * 1024

# The interpreter is not left meanwhile: nothing else runs between one call and the next.
_libc: Final = ctypes.PyDLL(None)
_python: Final = ctypes.pythonapi


def _function(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = library[name]
    function.restype, function.argtypes = result, arguments
    return function


class _Symbol(Structure):
    _fields_ = (("name", ctypes.c_uint32), ("kind", ctypes.c_uint32), ("value", c_size_t), ("size", c_size_t))


class _Pool(Structure):
    """How a pool of small objects of one size begins; it is as long as 4 pages of 4 KiB."""

    _fields_ = (
        ("used", ctypes.c_uint32),
        ("free", c_void_p),
        ("others", c_void_p * 2),
        ("arena", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("next", ctypes.c_uint32),
        ("last", ctypes.c_uint32),
    )


class _Heap(Structure):
    _fields_ = (("counts", c_size_t * 9), ("top", c_size_t))


compare: Final = _function(_libc, "memcmp", c_int, c_void_p, c_void_p, c_size_t)
_write: Final = _function(_libc, "pwrite", c_long, c_int, c_void_p, c_size_t, c_long)
_map: Final = _function(_libc, "mmap", c_void_p, c_void_p, c_size_t, c_int, c_int, c_int, c_long)
_call: Final = ctypes.PyDLL(None)["syscall"]
_call.restype = None
_advise: Final = _function(_libc, "madvise", c_int, c_void_p, c_size_t, c_int)
_trim: Final = _function(_libc, "malloc_trim", c_int, c_size_t)
_view: Final = _function(
    _python, "PyMemoryView_FromMemory", ctypes.py_object, c_void_p, ctypes.c_ssize_t, c_int
)


@attrs.frozen(order=True)
class Area:
    """Addresses from *start* to before *end*."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self.start <= address < self.end


@attrs.frozen
class Writable:
    """The areas that this process writes, by what they are for."""

    arenas: tuple[Area, ...]
    """What may hold pools of small objects."""

    heap: Area
    static: tuple[Area, ...]
    """The interpreter's own objects, without the state that changes while nobody has the interpreter."""


def writable() -> Writable:
    """Return the areas of this process; LookupError if they are not as expected."""
    state = _state()
    found = [*_maps()]
    heap = [area for area, name in found if name == "[heap]"]
    library = {name for area, name in found if state.start in area} - {""}
    own = [area for area, name in found if name in library]
    if not (heap and own):
        raise LookupError("the memory of this process is not laid out as expected")
    return Writable(
        arenas=tuple(area for area, name in found if not name),
        heap=Area(heap[0].start, heap[-1].end),
        static=tuple(part for area in own for part in without(area, state)),
    )


def _maps() -> Iterator[tuple[Area, str]]:
    """Yield what this process can write to, and the name of the file that it is of."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        addresses, permissions, _, _, _, *name = line.split(maxsplit=5)
        if permissions == "rw-p":
            start, end = (int(each, 16) for each in addresses.split("-"))
            yield Area(start, end), name[0] if name else ""


def _state() -> Area:
    """Return where the interpreter keeps its state, its lock among it."""
    start = addressof(c_char.in_dll(_python, "_PyRuntime"))
    told, symbol = (c_void_p * 4)(), POINTER(_Symbol)()
    find = _function(_libc, "dladdr1", c_int, c_void_p, c_void_p, c_void_p, c_int)
    if not find(start, byref(told), byref(symbol), _WITH_SYMBOL):
        raise LookupError("the interpreter does not say where its state is")
    try:
        return Area(start, start + symbol.contents.size)
    except ValueError:
        raise LookupError("the interpreter does not say how long its state is") from None


def without(area: Area, hole: Area) -> Sequence[Area]:
    """Return the whole pages of *area* before and after *hole*."""
    before = Area(area.start, min(area.end, hole.start // PAGE * PAGE))
    after = Area(max(area.start, -(-hole.end // PAGE) * PAGE), area.end)
    return [part for part in (before, after) if part.start < part.end]


def threads() -> ctypes.c_uint:
    """Return where the C library counts the threads of this process; LookupError if it does not say it.

    Those that know nothing of Python count, too, and one that has ended does until it is gone.
    """
    try:
        return ctypes.c_uint.in_dll(_libc, "__nptl_nthreads")
    except ValueError:
        raise LookupError("the C library does not say how many threads there are") from None


def share_one_heap() -> None:
    """Let all threads allocate from the same heap, but for what is large; before a second thread runs."""
    _libc.mallopt(_ARENA_MAX, 1)
    _libc.mallopt(_MMAP_THRESHOLD, _HUGE)


def fill_holes(areas: Sequence[Area]) -> int:
    """Take whatever is free in *areas* and in the heap, for good; return where the heap is free from."""
    allocate = _function(_python, "PyObject_Malloc", c_void_p, c_size_t)
    give = _function(_python, "PyObject_Free", None, c_void_p)
    starts, ends = [0, *(area.start for area in areas)], [0, *(area.end for area in areas)]
    # The largest first: they take the pools that are free with the fewest calls.
    for size in range(_SMALL, 0, -_STEP):
        while (place := allocate(size)) < ends[bisect_right(starts, place) - 1]:
            pass
        give(place)
    _trim(0)
    told = _function(_libc, "mallinfo2", _Heap)()
    top: int = _function(_libc, "sbrk", c_void_p, c_long)(0) - told.top
    allocate = _function(_libc, "malloc", c_void_p, c_size_t)
    give = _function(_libc, "free", None, c_void_p)
    size = _LARGE
    while size:
        while (place := allocate(size)) < top:
            pass
        if size > _STEP:
            give(place)
        # The last stays: the end of the heap is never before it, so never in what is shared.
        size = size // 2 if size > 2 * _SMALL else size - _STEP
    return top // PAGE * PAGE


def occupy(count: int = 64) -> list[Any]:
    """Take what the interpreter keeps at hand for objects that come and go; it is free again with the result.

    From then on they are made where nothing has been before. What this function itself makes, it keeps.
    """
    kept: list[Any] = [None] * (count * 64)
    at = 0
    for size in _BYTES:
        for _ in range(8):
            kept[at] = bytes(size)
            at += 1
    for _ in range(count):
        kept[at] = [], {}, at * 1.5, at << 32
        kept[at + 1] = [at], {at: at}, at * 2.5, at << 33
        kept[at + 2] = (at,), (at, at), (at, at, at), (at, at, at, at), (at, at, at, at, at)
        kept[at + 3] = (
            (at, at, at, at, at, at),
            (at, at, at, at, at, at, at),
            (at, at, at, at, at, at, at, at),
        )
        at += 4
    return kept


def full_pools(areas: Iterable[Area]) -> tuple[list[Area], set[int]]:
    """Return where small objects are so dense that none will be added, and what these pools are listed in."""
    found: list[Area] = []
    lists: set[int] = set()
    for area in areas:
        first = -(-area.start // _POOL) * _POOL
        for place in range(first, area.end - _POOL + 1, _POOL):
            if _is_full(place):
                found.append(Area(place, place + _POOL))
                lists.update(each or 0 for each in _Pool.from_address(place).others)
    return joined(found), lists


def full_then(area: Area, copy: int) -> list[Area]:
    """Return what of *area*, which full_pools has found, a copy shows to have been full when it was made.

    Another pool has a hole, in which there was something that full_pools itself had made.
    """
    return joined(
        Area(place, place + _POOL)
        for place in range(area.start, area.end, _POOL)
        if _is_full(place - area.start + copy)
    )


def _is_full(place: int) -> bool:
    pool = _Pool.from_address(place)
    size = (pool.size + 1) * _STEP
    return (
        size <= _SMALL
        and pool.last + size == _POOL
        and pool.next > pool.last
        and pool.used == (_POOL - sizeof(_Pool)) // size
        and pool.free is None
    )


def joined(areas: Iterable[Area]) -> list[Area]:
    """Return *areas*, which ascend, with those as one that follow one another."""
    found: list[Area] = []
    for area in areas:
        if found and found[-1].end == area.start:
            found[-1] = Area(found[-1].start, area.end)
        else:
            found.append(area)
    return found


def swapping(file: int, areas: Iterable[Area]) -> list[tuple[Any, ...]]:
    """Return what `swap` is to do, so that *areas* become parts of a file, one after the other.

    The file is as long as they are together, and has room for them then.
    """
    numbers = _numbers()
    word = c_size_t.from_param
    steps = []
    offset = 0
    for area in areas:
        if _write(file, area.start, len(area), offset) != len(area):
            raise OSError("memory cannot be written to a file")
        steps += [
            (numbers["pwrite64"], file, area.start, len(area), offset),
            (numbers["mmap"], area.start, len(area), _READ_WRITE, mmap.MAP_PRIVATE | _FIXED, file, offset),
        ]
        offset += len(area)
    return [tuple(map(word, step)) for step in steps]


def swap(steps: Iterator[tuple[Any, ...]]) -> None:
    """Let memory be what it is in a file that has just been written with it.

    From the first to the last step no line of Python runs, and nothing is made nor freed: what would change
    in memory between writing it and mapping it is lost.
    """
    deque(starmap(_call, steps), maxlen=0)


def are_of(name: str, areas: Sequence[Area]) -> bool:
    """Return whether each of *areas* is a part of the file in memory of that name."""
    of_file = joined(area for area, file in _maps() if file.startswith(f"/memfd:{name} "))
    starts = [area.start for area in of_file]
    at = [bisect_right(starts, area.start) - 1 for area in areas]
    return all(each >= 0 and area.end <= of_file[each].end for area, each in zip(areas, at, strict=True))


def _numbers() -> Mapping[str, int]:
    known = machine()
    if known is None:
        raise LookupError("the numbers of this machine's system calls are not known")
    return known.numbers


def view(file: int, size: int) -> int:
    """Return where a file can be read from now on."""
    place: int = _map(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE, file, 0)
    if place in (None, c_size_t(-1).value):
        raise OSError("a file cannot be mapped into memory")
    _advise(place, size, _POPULATE_READ)
    return place


def content(area: Area) -> memoryview:
    """Return what is in *area*, to be read and written."""
    found: memoryview = _view(area.start, len(area), _WRITE)
    return found


def forget(place: int, size: int = PAGE) -> None:
    """Let what is there be as in its file again."""
    _advise(place, size, _DONTNEED)


def trim() -> None:
    """Give back what is free in the heap."""
    _trim(0)
