"""Which keys a namespace has, and where the record of each stands."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

ID_SIZE: Final = 8
#: How many keys that count up have one array.
_PAGE_BITS: Final = 8
_PAGE_MASK: Final = (1 << _PAGE_BITS) - 1
_NO_PAGE: Final = bytes(8 << _PAGE_BITS)


class Keys(Protocol):
    """A map from keys to positions."""

    @property
    def get(self) -> Callable[[bytes], int | None]:
        """What returns where a key stands, or None."""

    def put(self, key: bytes, position: int) -> None:
        """Let *key* stand at *position*."""

    def put_all(self, keys: Iterable[bytes], positions: Iterable[int]) -> None:
        """Let each of *keys* stand at the one of *positions* that comes with it; later ones win."""

    def drop(self, key: bytes) -> None:
        """Forget *key*, which need not be there."""

    def items(self) -> Iterator[tuple[bytes, int]]:
        """Yield what there is, as it was at the call."""

    def __len__(self) -> int: ...


class UserKeys:
    """Keys as clients give them. A dict: with 16 bytes a key one takes about 140 bytes."""

    __slots__ = ("_positions", "get", "put")

    def __init__(self) -> None:
        self._positions: dict[bytes, int] = {}
        self.get: Callable[[bytes], int | None] = self._positions.get
        self.put: Callable[[bytes, int], None] = self._positions.__setitem__

    def put_all(self, keys: Iterable[bytes], positions: Iterable[int]) -> None:
        self._positions.update(zip(keys, positions, strict=True))

    def drop(self, key: bytes) -> None:
        self._positions.pop(key, None)

    def items(self) -> Iterator[tuple[bytes, int]]:
        return iter(list(self._positions.items()))

    def __len__(self) -> int:
        return len(self._positions)


class SequentialKeys:
    """Keys that count up from 0, as 8 bytes, little-endian: pages of 8 bytes a key.

    A page goes with its last key: what was deleted takes a 24th of a byte.
    """

    __slots__ = ("_count", "_pages", "_used")

    def __init__(self) -> None:
        self._pages: list[array[int] | None] = []
        self._used = array("H")
        self._count = 0

    def get(self, key: bytes) -> int | None:
        if len(key) != ID_SIZE:
            return None
        number = int.from_bytes(key, "little")
        pages = self._pages
        place = number >> _PAGE_BITS
        if place >= len(pages) or (page := pages[place]) is None:
            return None
        return page[number & _PAGE_MASK] or None

    def put(self, key: bytes, position: int) -> None:
        number = int.from_bytes(key, "little")
        pages, place = self._pages, number >> _PAGE_BITS
        if place >= len(pages):
            more = place + 1 - len(pages)
            pages += [None] * more
            self._used.frombytes(bytes(2 * more))
        page = pages[place]
        if page is None:
            page = pages[place] = array("Q", _NO_PAGE)
        if not page[number & _PAGE_MASK]:
            self._used[place] += 1
            self._count += 1
        page[number & _PAGE_MASK] = position

    def put_all(self, keys: Iterable[bytes], positions: Iterable[int]) -> None:
        for key, position in zip(keys, positions, strict=True):
            self.put(key, position)

    def drop(self, key: bytes) -> None:
        if self.get(key) is None:
            return
        number = int.from_bytes(key, "little")
        place = number >> _PAGE_BITS
        page = self._pages[place]
        assert page is not None  # noqa: S101 - `get` has found it
        page[number & _PAGE_MASK] = 0
        self._count -= 1
        self._used[place] -= 1
        if not self._used[place]:
            self._pages[place] = None

    def items(self) -> Iterator[tuple[bytes, int]]:
        pages = [(i << _PAGE_BITS, page[:]) for i, page in enumerate(self._pages) if page is not None]
        return (
            ((first + i).to_bytes(ID_SIZE, "little"), position)
            for first, page in pages
            for i, position in enumerate(page)
            if position
        )

    def __len__(self) -> int:
        return self._count
