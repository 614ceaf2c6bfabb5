"""Memory that sidecars share, although Python writes to whatever it looks at.

Python counts references in the objects themselves, so each page that a forked process looks at becomes its
own, and says much the same as before. So the zygote makes its objects immortal, puts its memory into a file
that nobody can write to any more, and maps that in its place. Its children give each page back that is as in
the file, but for words that have no meaning: how many references there are to what is immortal, and what the
interpreter remembers only to be faster.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import struct
import sys
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic, sleep
from types import CodeType, FunctionType
from typing import Any, Final, Self, cast

from statehold.loading.sidecar.child._memory import (
    PAGE,
    WORD,
    Area,
    Writable,
    are_of,
    compare,
    content,
    fill_holes,
    forget,
    full_pools,
    full_then,
    occupy,
    swap,
    swapping,
    threads,
    trim,
    view,
    without,
    writable,
)

_KNOWN: Final = frozenset({(3, 11)})
_PART: Final = 256
_WORDS: Final = struct.Struct(f"={_PART // WORD}Q")
_CHUNK: Final = 16 * PAGE
_NAME: Final = "image"
#: So many chunks are looked at before others have their turn.
_TURN: Final = 16
#: Added to the upper half of a count of references: it never becomes 0 then.
_MANY: Final = 1 << 8
_OF_PYTHON: Final = 1 << 9
#: Where a table has the room that instances have left.
_ROOM: Final = 16
#: Where code says how often it is still to run until the interpreter makes it faster, and whose code that is.
_WARMTH: Final = 52
_OFTEN: Final = ("/sidecar/child/_server.py", "/sidecar/_codec.py")
#: The longest instruction of Python with what it remembers, in bytes, and a word.
_EDGE: Final = 32
#: How long a thread that has ended may take to be gone, seconds.
_PATIENCE: Final = 5.0


class Image:
    """What a process had in its memory once, shared with all that it forks later."""

    def __init__(
        self, parts: Iterable[tuple[Area, int]], meaningless: bytes, file: Area, kept: object
    ) -> None:
        self._kept = kept
        self._parts = [(area, content(area), at) for area, at in parts]
        self._meaningless = meaningless
        self._place = file.start
        self._size = len(file)
        self._file = content(file)
        self._threads = threads()

    @classmethod
    def taken(cls) -> Self | None:
        """Take it of this process, which has one thread; None where memory is not laid out as expected."""
        if sys.version_info[:2] not in _KNOWN or sys.gettrace() or sys.getprofile() or _debugs():
            return None
        gc.collect()
        gc.disable()
        try:
            _wait_until_alone()
            found = writable()
            top = fill_holes(found.arenas)
            kept: list[Any] = [found, occupy()]
            meaningless = _immortal(found)
            # Once more: what children make is to lie where nothing has been before.
            kept += [fill_holes(writable().arenas), occupy()]
            pools, lists = full_pools(found.arenas)
            heap = Area(found.heap.start, min(found.heap.end, top))
            areas = sorted([*pools, heap, *_static(found, lists)])
            kept += [pools, lists, heap, areas]
            gc.freeze()
            file = _swapped(areas, kept)
            parts = _parts(areas, pools, file)
            return cls(parts, _flags(areas, meaningless), file, kept)
        except (AttributeError, LookupError, OSError):
            return None
        finally:
            gc.enable()

    def threads(self) -> int:
        """Return how many threads this process has, those included that know nothing of Python."""
        return self._threads.value

    def give_back(self) -> Iterator[None]:
        """Give all pages back that are as they were, a part of them before each step.

        No other thread may run meanwhile, but for some steps that look at nothing older than this process.
        """
        trim()
        turn = 0
        for area, own, start in self._parts:
            for place in range(area.start, area.end, _CHUNK):
                size = min(_CHUNK, area.end - place)
                at = start + place - area.start
                if not compare(place, self._place + at, size):
                    forget(place, size)
                else:
                    self._give_back(place, own, place - area.start, at, size)
                turn += 1
                if not turn % _TURN:
                    yield
        forget(self._place, self._size)

    def _give_back(self, place: int, own: memoryview, start: int, at: int, size: int) -> None:
        for _ in range(0, size, PAGE):
            if not compare(place, self._place + at, PAGE) or self._means_the_same(place, own, start, at):
                forget(place, PAGE)
            place += PAGE
            start += PAGE
            at += PAGE

    def _means_the_same(self, place: int, own: memoryview, start: int, at: int) -> bool:
        there, meaningless = self._place + at, self._meaningless
        for part in range(0, PAGE, _PART):
            if compare(place + part, there + part, _PART):
                words = zip(
                    _WORDS.unpack_from(own, start + part),
                    _WORDS.unpack_from(self._file, at + part),
                    strict=True,
                )
                for number, (one, other) in enumerate(words, (at + part) // WORD):
                    if one != other and not meaningless[number]:
                        return False
        return True


def _debugs() -> bool:
    return hasattr(sys, "gettotalrefcount") or sys.flags.dev_mode or "PYTHONMALLOC" in os.environ


def _wait_until_alone() -> None:
    """Wait until the threads that have ended are gone: what they give back at their end is memory, too."""
    until, count = monotonic() + _PATIENCE, threads()
    while count.value > 1:
        if monotonic() > until:
            raise LookupError("there are other threads")
        sleep(0.001)


def _static(found: Writable, lists: set[int]) -> Sequence[Area]:
    """Return the interpreter's own objects without what its allocator changes."""
    areas: Sequence[Area] = found.static
    for page in {each // PAGE * PAGE for each in lists}:
        areas = [part for area in areas for part in without(area, Area(page, page + PAGE))]
    return areas


def _immortal(found: Writable) -> array[int]:
    """Let no object be freed any more; return the places of words that have no meaning then."""
    objects = _objects()
    deque(map(hash, (each for each in objects.values() if type(each) in (str, bytes))), maxlen=0)
    counts, others, tables, warm = (array("Q") for _ in range(4))
    counts.extend(objects)
    code, function, table_of = CodeType.__basicsize__, FunctionType.__basicsize__ - WORD, _place_of_table()
    word = ctypes.c_uint64.from_address
    for place, each in objects.items():
        kind = type(each)
        if kind is CodeType:
            if not each.co_filename.endswith(_OFTEN):
                warm.append(place + _WARMTH)
            # Not where what belongs together may lie on two pages, of which one is given back.
            words = range((place + code) & -WORD, place + object.__sizeof__(each), WORD)
            others.extend(each for each in words if _EDGE <= each % PAGE < PAGE - _EDGE)
        elif kind is FunctionType:
            if place // PAGE == (place + function) // PAGE:
                others.append(place + function)
        elif issubclass(kind, type):
            with suppress(AttributeError):
                type.__getattribute__(each, "")
            if each.__flags__ & _OF_PYTHON and (table := word(place + table_of).value):
                tables.append(table)
    counts = array("Q", sorted([*counts, *tables]))
    for area in (*found.arenas, found.heap, *found.static):
        upper = content(area).cast("I")
        for place in counts[bisect_left(counts, area.start) : bisect_left(counts, area.end)]:
            upper[(place - area.start) // 4 + 1] |= _MANY
    for area in (*found.arenas, found.heap, *found.static):
        for place in tables:
            if place in area and place + _ROOM in area and word(place + _ROOM).value > 1:
                word(place + _ROOM).value = 1
        for place in warm:
            if place in area:
                ctypes.c_int16.from_address(place).value = 0
    return array("Q", sorted([*counts, *others]))


def _objects() -> dict[int, Any]:
    """Return all objects that there are by their places, but for a few that nothing can reach."""
    todo = gc.get_objects()
    found: dict[int, Any] = {}
    while True:
        new = dict(zip(map(id, todo), todo, strict=True))
        for known in new.keys() & found.keys():
            del new[known]
        if not new:
            return found
        found |= new
        todo = gc.get_referents(*new.values())
        for each in new.values():
            if type(each) is CodeType:
                todo += (each.co_consts, each.co_names, each.co_filename, each.co_name, each.co_qualname)
                todo += (each.co_linetable, each.co_exceptiontable)
                todo += each.co_varnames + each.co_cellvars + each.co_freevars
            elif issubclass(type(each), type):
                todo += (each.__name__, each.__qualname__)


def _place_of_table() -> int:
    """Return where a class says where the table is that the dicts of its instances share."""

    class Sample:
        pass

    words = (ctypes.c_uint64 * (cast("int", type.__basicsize__) // WORD)).from_address(id(Sample))
    return ([*words].index(id(Sample.__qualname__)) + 1) * WORD


def _flags(areas: Sequence[Area], meaningless: array[int]) -> bytes:
    """Return for each word of *areas* whether it has no meaning."""
    flags = bytearray(sum(map(len, areas)) // WORD)
    at = 0
    for area in areas:
        for place in meaningless[bisect_left(meaningless, area.start) : bisect_left(meaningless, area.end)]:
            flags[at + (place - area.start) // WORD] = 1
        at += len(area) // WORD
    return bytes(flags)


def _parts(areas: Sequence[Area], pools: Sequence[Area], file: Area) -> Iterator[tuple[Area, int]]:
    """Yield the areas that nothing is added to, and where in the file they are."""
    at = 0
    for area in areas:
        for part in full_then(area, file.start + at) if area in pools else [area]:
            yield part, at + part.start - area.start
        at += len(area)


def _swapped(areas: Sequence[Area], kept: list[Any]) -> Area:
    """Let *areas* be parts of a file that nobody can change, and return where it can be read."""
    file = os.memfd_create(_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        size = sum(map(len, areas))
        os.ftruncate(file, size)
        steps = swapping(file, areas)
        kept.append(steps)
        # They are looked at while they are written: that counts, too.
        for each in (steps, *steps, *(word for step in steps for word in step)):
            ctypes.c_uint32.from_address(id(each) + 4).value |= _MANY
        swap(iter(steps))
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        if not are_of(_NAME, areas):
            raise OSError("a part of the memory cannot be mapped")
        place = view(file, size)
        return Area(place, place + size)
    finally:
        os.close(file)
