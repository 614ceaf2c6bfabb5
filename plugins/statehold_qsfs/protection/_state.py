"""What a store has of a machine, as far as it counts: where which bytes of which segment are.

It is written as a base, the whole, and changes that follow one another. A change brings the state from one
cut of the engine to the next, all at once, and may have the bytes with it, if they are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from statehold_qsfs.protection._errors import ProtectionError
from statehold_zdb.engine import Part

T = TypeVar("T")
_MARK: Final = b"qsfs\x01"
_HINT: Final = "Is it the right store, and the right version of the program?"


class Extent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Bytes of a segment, and where they are.

    Attributes:
        start, end: in the segment.
        name: the object; empty for the one that says so.
        offset: in the object.
        crc: CRC-32 of the bytes.

    """

    start: int
    end: int
    name: str
    offset: int
    crc: int


class Whole(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An object that has all of a closed segment: the data, then the index file.

    Attributes:
        name: the object.
        size: the bytes of the data.
        index: the bytes of the index file.

    """

    name: str
    size: int
    index: int


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A segment in a cut.

    Attributes:
        salt: of its header.
        end: the bytes that count.
        extents: where they are, in order; empty if there is an object with all of it.
        whole: that object.

    """

    salt: int
    end: int
    extents: tuple[Extent, ...] = ()
    whole: Whole | None = None

    def covers(self, part: Part) -> bool:
        """Whether all of *part* is stored; what is whole does not change while its salt is the same."""
        return self.salt == part.salt and (self.whole is not None or self.end == part.end)


class Area(msgspec.Struct, array_like=True):
    """A namespace in a cut: its settings, as its file has them, and its segments."""

    settings: bytes
    parts: dict[int, Kept]


class AreaChange(msgspec.Struct, array_like=True):
    """What a change does to a namespace: segments that come in the place of others, and those that go."""

    settings: bytes
    parts: dict[int, Kept]
    gone: tuple[int, ...]


class Change(msgspec.Struct, kw_only=True):
    """What leads from one state to the next.

    Attributes:
        seq: its number; each has the number after that of the one before.
        taken: when the cut was made, in seconds since 1970.
        areas: the namespaces that are others now.
        gone: the namespaces that are no more.
        wholes: objects that have been stored for segments of a cut to come.

    """

    seq: int
    taken: float
    areas: dict[str, AreaChange] = {}
    gone: tuple[str, ...] = ()
    wholes: dict[str, Whole] = {}


class State(msgspec.Struct, kw_only=True):
    """What a store has.

    Attributes:
        seq: of the last change.
        taken: when the cut was made, in seconds since 1970.
        areas: the namespaces.
        wholes: objects for segments of a cut to come, by `key_of`.
        objects: the names of all objects that were ever referred to and have not been deleted.
        logs: the names of the changes that are still there.
        dying: the names of objects that are being deleted.

    """

    seq: int = 0
    taken: float = 0.0
    areas: dict[str, Area] = {}
    wholes: dict[str, Whole] = {}
    objects: set[str] = set()
    logs: list[str] = []
    dying: set[str] = set()

    def encode(self) -> bytes:
        """Return the bytes of a base."""
        return _MARK + msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> State:
        """Return what `encode` was called on; ProtectionError for anything else."""
        return _decoded(data, _STATE)

    def apply(self, change: Change, name: str, offset: int) -> None:
        """Become what *change* leads to; it is in the object *name*, its bytes from *offset* on."""
        for area_name in change.gone:
            self.areas.pop(area_name, None)
        for area_name, new in change.areas.items():
            area = self.areas.setdefault(area_name, Area(b"", {}))
            area.settings = new.settings
            for number in new.gone:
                area.parts.pop(number, None)
            for number, kept in new.parts.items():
                area.parts[number] = msgspec.structs.replace(
                    kept, extents=tuple(_placed(each, name, offset) for each in kept.extents)
                )
                self.objects.update(each.name for each in kept.extents if each.name)
                if kept.whole is not None:
                    self.objects.add(kept.whole.name)
        if change.areas or change.gone:
            self.wholes.clear()
        self.wholes |= change.wholes
        self.objects.update(whole.name for whole in change.wholes.values())
        self.seq, self.taken = change.seq, change.taken
        self.logs.append(name)

    def needed(self) -> Iterator[str]:
        """Yield the names of the objects that have bytes of the state, some several times."""
        for area in self.areas.values():
            for kept in area.parts.values():
                if kept.whole is not None:
                    yield kept.whole.name
                yield from (extent.name for extent in kept.extents)
        yield from (whole.name for whole in self.wholes.values())


# Made here: two threads that are the first to decode a type would end the process.
_STATE: Final = msgspec.msgpack.Decoder(State)
_CHANGE: Final = msgspec.msgpack.Decoder(Change)


def key_of(namespace: str, number: int, salt: int) -> str:
    """Return what a segment is called in `State.wholes`."""
    return f"{namespace}/{number}/{salt:x}"


def encode_change(change: Change, payload: bytes) -> tuple[bytes, int]:
    """Return the object of a change with its bytes, and where those begin."""
    body = msgspec.msgpack.encode(change)
    head = _MARK + len(body).to_bytes(4, "little") + body
    return head + payload, len(head)


def decode_change(data: bytes) -> tuple[Change, int]:
    """Return what `encode_change` was given, and where the bytes begin; ProtectionError for anything else."""
    start = len(_MARK) + 4
    end = start + int.from_bytes(data[len(_MARK) : start], "little")
    return _decoded(_MARK * data.startswith(_MARK) + data[start:end], _CHANGE), end


def _placed(extent: Extent, name: str, offset: int) -> Extent:
    return (
        extent if extent.name else msgspec.structs.replace(extent, name=name, offset=extent.offset + offset)
    )


def _decoded(data: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if not data.startswith(_MARK):
        raise ProtectionError("an object of the store is none of a filesystem's protection", hint=_HINT)
    try:
        return decoder.decode(data[len(_MARK) :])
    except msgspec.DecodeError as error:
        raise ProtectionError(f"an object of the store cannot be understood: {error}", hint=_HINT) from error
