"""The memory of this process as the kernel and the allocators see it, without a line of C."""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_right
from collections.abc import Sequence
from ctypes import POINTER, Structure, addressof, byref, c_char, c_int, c_long, c_size_t, c_void_p, sizeof
from pathlib import Path
from typing import Any, Final

import attrs

PAGE: Final = mmap.PAGESIZE
WORD: Final = 8

_FIXED: Final = 0x10
_DONTNEED: Final = 4
_POPULATE_READ: Final = 22
_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3
_WITH_SYMBOL: Final = 1
_WRITE: Final = 0x200
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
    found = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        addresses, permissions, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(each, 16) for each in addresses.split("-"))
        if permissions == "rw-p":
            found.append((Area(start, end), name[0] if name else ""))
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


def full_pools(areas: Sequence[Area]) -> tuple[list[Area], set[int]]:
    """Return where small objects are so dense that none will be added, and what these pools are listed in."""
    found: list[Area] = []
    lists: set[int] = set()
    for area in areas:
        first = -(-area.start // _POOL) * _POOL
        for place in range(first, area.end - _POOL + 1, _POOL):
            pool = _Pool.from_address(place)
            size = (pool.size + 1) * _STEP
            if (
                size <= _SMALL
                and pool.last + size == _POOL
                and pool.next > pool.last
                and pool.used == (_POOL - sizeof(_Pool)) // size
                and pool.free is None
            ):
                joined = found and found[-1].end == place
                start = found.pop().start if joined else place
                found.append(Area(start, place + _POOL))
                lists.update(each or 0 for each in pool.others)
    return found, lists


def save(file: int, area: Area, offset: int) -> None:
    """Write what is in *area* to a file."""
    if _write(file, area.start, len(area), offset) != len(area):
        raise OSError(ctypes.get_errno(), "memory cannot be written to a file")


def replace(file: int, area: Area, offset: int) -> None:
    """Let *area* be that part of a file, until it is written to."""
    _mapped(area.start, len(area), mmap.PROT_READ | mmap.PROT_WRITE, _FIXED, file, offset)


def view(file: int, size: int) -> int:
    """Return where a file can be read from now on."""
    place = _mapped(None, size, mmap.PROT_READ, 0, file, 0)
    _advise(place, size, _POPULATE_READ)
    return place


def _mapped(place: int | None, size: int, protection: int, flags: int, file: int, offset: int) -> int:  # noqa: PLR0917 - mmap
    found: int = _map(place, size, protection, mmap.MAP_PRIVATE | flags, file, offset)
    if found in (None, c_size_t(-1).value):
        raise OSError("a file cannot be mapped into memory")
    return found


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
