from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_MOST_BYTES: Final = 1024 * 1024
#: The compiler takes time and memory for each variable at each place where branches meet.
_MOST_WORK: Final = 1_000_000_000
#: What the compiler has done in about a second, whatever it is: a function, all of them, and their work.
_SMALL_BYTES: Final = 32 * 1024
_SMALL_CODE: Final = 256 * 1024
_SMALL_WORK: Final = 4_000_000

_HEADER: Final = 8
_CODE: Final = 10
_LONGEST_NUMBER: Final = 5


def check_bodies(data: bytes) -> None:
    """Raise ValueError for a function that would take the compiler more memory than a host has to give.

    What is damaged otherwise is left to the compiler.
    """
    try:
        for index, (size, variables) in enumerate(_bodies(data)):
            if size > _MOST_BYTES or size * variables > _MOST_WORK:
                raise ValueError(
                    f"its function {index}, not counting imports, has {size} bytes and {variables} "
                    "variables, which would take the compiler too long: divide it"
                )
    except IndexError:
        return


def is_small(data: bytes) -> bool:
    """Return whether the compiler is done with a module at once, however it is made."""
    sizes, work = 0, 0
    try:
        for size, variables in _bodies(data):
            sizes += size
            work += size * (variables + 1)
            if size > _SMALL_BYTES or sizes > _SMALL_CODE or work > _SMALL_WORK:
                return False
    except IndexError:
        return len(data) <= 1024
    return True


def _bodies(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the size and the number of variables of each function."""
    at = _HEADER
    while at < len(data):
        kind = data[at]
        size, at = _number(data, at + 1)
        if kind == _CODE:
            count, start = _number(data, at)
            for _ in range(count):
                length, start = _number(data, start)
                yield length, _variables(data, start, start + length)
                start += length
        at += size


def _variables(data: bytes, at: int, end: int) -> int:
    groups, at = _number(data, at)
    found = 0
    for _ in range(groups):
        if at >= end:
            raise IndexError
        more, at = _number(data, at)
        found += more
        at += 1
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the LEB128 number at *at*, and where it ends."""
    value = 0
    for step in range(_LONGEST_NUMBER):
        byte = data[at + step]
        value |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return value, at + step + 1
    raise IndexError
