"""Which keys a namespace has, and where the record of each stands."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

ID_SIZE: Final = 8


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
    """Keys that count up from 0, as 8 bytes, little-endian: an array, 8 bytes a key."""

    __slots__ = ("_count", "_positions")

    def __init__(self) -> None:
        self._positions = array("Q")
        self._count = 0

    def get(self, key: bytes) -> int | None:
        if len(key) != ID_SIZE:
            return None
        number = int.from_bytes(key, "little")
        return (self._positions[number] or None) if number < len(self._positions) else None

    def put(self, key: bytes, position: int) -> None:
        number = int.from_bytes(key, "little")
        positions = self._positions
        if number >= len(positions):
            positions.frombytes(bytes(8 * (number + 1 - len(positions))))
        self._count += not positions[number]
        positions[number] = position

    def put_all(self, keys: Iterable[bytes], positions: Iterable[int]) -> None:
        for key, position in zip(keys, positions, strict=True):
            self.put(key, position)

    def drop(self, key: bytes) -> None:
        number = int.from_bytes(key, "little")
        if number < len(self._positions) and self._positions[number]:
            self._positions[number] = 0
            self._count -= 1

    def items(self) -> Iterator[tuple[bytes, int]]:
        return (
            (number.to_bytes(ID_SIZE, "little"), position)
            for number, position in enumerate(array("Q", self._positions))
            if position
        )

    def __len__(self) -> int:
        return self._count
