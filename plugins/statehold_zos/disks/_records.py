from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Final

import attrs

from statehold_zos.ledger import Ledger
from statehold_zos.model import DiskType, NotFoundError, Raid

#: Where the spaces of a pool lie in it.
SPACES: Final = "spaces"
_POOLS: Final = "disks.pools"
_WIPED: Final = "disks.wiped"
_MARKS: Final = "disks.failing"
_TYPES: Final = "disks.types"


class Stage(Enum):
    """How far a pool is. `MAKING`: nothing is on it yet. `WIPING`: nothing on it is needed any more."""

    MAKING = "making"
    READY = "ready"
    WIPING = "wiping"


class FileSystem(Enum):
    """What a pool is, below its spaces. `FOLDER`: a folder of another file system."""

    BTRFS = "btrfs"
    EXT4 = "ext4"
    FOLDER = "folder"


@attrs.frozen(kw_only=True)
class PoolRecord:
    """What a node keeps about a pool of its own.

    Attributes:
        id: its name, also the label of its file system.
        uuid: of its file system; follows from the node and the id, so that nobody else's is taken for ours.
        type: of its disks.
        raid: how it spreads data.
        disks: names of its disks.
        file_system: see `FileSystem`.
        path: where it is mounted; of a folder, the folder.
        size: bytes that may be filled, 0 while it is made.
        stage: see `Stage`.
        token: with which it was made, or is being wiped.
        limits: the word for the backend whose probe was refused a write over a limit, "" before.

    """

    id: str
    uuid: str
    type: DiskType
    raid: Raid
    disks: tuple[str, ...]
    file_system: FileSystem
    path: Path
    size: int = 0
    stage: Stage = Stage.READY
    token: str = ""
    limits: str = ""

    @property
    def spaces(self) -> Path:
        """Where its spaces lie."""
        return self.path / SPACES


class Records:
    """What a node keeps about its disks, in the notes of its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._notes = ledger.notes

    def all(self) -> list[PoolRecord]:
        """Return the records of all pools, by id."""
        return [_record(text) for text in self._notes.all(_POOLS).values()]

    def get(self, pool: str) -> PoolRecord:
        """Return the record of a pool. Raises NotFoundError."""
        text = self._notes.get(_POOLS, pool)
        if text is None:
            known = ", ".join(self._notes.all(_POOLS)) or "there are none"
            raise NotFoundError(f"there is no pool {pool!r}", hint=f"pools of this node: {known}")
        return _record(text)

    def put(self, record: PoolRecord) -> PoolRecord:
        """Keep a record, and return it."""
        self._notes.put(_POOLS, record.id, json.dumps(attrs.asdict(record, value_serializer=_plain)))
        return record

    def forget(self, record: PoolRecord) -> None:
        """Forget a pool that was wiped: a disk of it that turns up later on may be emptied."""
        self._notes.put(_WIPED, record.uuid, record.id)
        self._notes.remove(_POOLS, record.id)

    def wiped(self, uuid: str) -> bool:
        """Whether the file system of this id was a pool of ours, and was wiped."""
        return self._notes.get(_WIPED, uuid) is not None

    def marks(self) -> dict[str, str]:
        """Return why disks must not be relied on, by their names."""
        return self._notes.all(_MARKS)

    def mark(self, disk: str, reason: str) -> None:
        """Keep why a disk must not be relied on; "" takes the mark away."""
        if reason:
            self._notes.put(_MARKS, disk, reason)
        else:
            self._notes.remove(_MARKS, disk)

    def measured(self, disk: str, size: int) -> DiskType | None:
        """Return what a disk of this name and size was measured to be, None for not yet."""
        text = self._notes.get(_TYPES, f"{disk} {size}")
        return None if text is None else DiskType(text)

    def keep_measured(self, disk: str, size: int, found: DiskType) -> None:
        """Keep what a disk was measured to be."""
        self._notes.put(_TYPES, f"{disk} {size}", found.value)

    def keep_type(self, disk: str, size: int, disk_type: DiskType | None) -> None:
        """Keep what somebody says of which type a disk of that size is; None forgets it."""
        if disk_type is None:
            self._notes.remove(_TYPES, f"{disk} {size}")
        else:
            self.keep_measured(disk, size, disk_type)


def _plain(_: object, __: object, value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _record(text: str) -> PoolRecord:
    kept = json.loads(text)
    return PoolRecord(
        **kept
        | {
            "type": DiskType(kept["type"]),
            "raid": Raid(kept["raid"]),
            "disks": tuple(kept["disks"]),
            "file_system": FileSystem(kept["file_system"]),
            "path": Path(kept["path"]),
            "stage": Stage(kept["stage"]),
        }
    )
