"""How a node proves that a pool is its own."""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4, uuid5

import attrs

from statehold.sdk import replace_file
from statehold_zos.disks._programs import told
from statehold_zos.disks._records import PoolRecord
from statehold_zos.model import DiskType, Raid, ZosError

#: What the labels of all nodes' pools begin with; with twelve digits more, ext4 takes them too.
PREFIX: Final = "zos-"
#: What a pool says of itself, in its root; and what a crash may leave of that.
FILE: Final = ".statehold-pool.json"
DRAFT: Final = f".{FILE}-"
_LONGEST: Final = 64 * 1024


def node_of(folder: Path) -> UUID:
    """Return the id of the node whose own things are in *folder*; made at the first time.

    Raises:
        ZosError: the file cannot be read or written, or holds something else.

    """
    file = folder / "node"
    with told(f"keep the id of the node in {file}"):
        if not file.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = folder / f".node-{secrets.token_hex(8)}"
            try:
                replace_file(new, f"{uuid4()}\n".encode())
                file.hardlink_to(new)
            except FileExistsError:  # another process was first
                pass
            finally:
                new.unlink(missing_ok=True)
        text = file.read_text(encoding="utf-8", errors="replace")
    try:
        return UUID(text.strip())
    except ValueError:
        raise ZosError(
            f"{file} holds no id of a node: {text[:40]!r}", hint="restore it: the pools are known by it"
        ) from None


def new_id() -> str:
    """Return the id of a new pool."""
    return f"{PREFIX}{secrets.token_hex(6)}"


def is_id(text: str) -> bool:
    """Whether a label is like the id of a pool; it becomes the name of a folder."""
    return re.fullmatch(f"{PREFIX}[0-9a-f]{{12}}", text, re.ASCII) is not None


def uuid_of(node: UUID, pool: str) -> str:
    """Return the id that the file system of a node's pool has, and that of no other node's."""
    return str(uuid5(node, pool))


@attrs.frozen(kw_only=True)
class Identity:
    """What a pool says of itself.

    Attributes:
        node: the id of its node.
        pool: its id.
        type: of its disks.
        raid: how it spreads data.
        disks: how many it has.
        size: bytes that may be filled.

    """

    node: str
    pool: str
    type: DiskType
    raid: Raid
    disks: int
    size: int


def sign(root: Path, node: UUID, record: PoolRecord) -> None:
    """Write into the root of a pool whose it is."""
    said = {
        "node": str(node),
        "pool": record.id,
        "type": record.type.value,
        "raid": record.raid.value,
        "disks": len(record.disks),
        "size": record.size,
    }
    with told(f"sign the pool {record.id}"):
        replace_file(root / FILE, f"{json.dumps(said, indent=1)}\n".encode())


def read(root: Path) -> Identity | None:
    """Return what a pool says of itself, None where nothing, or nothing that makes sense, is said.

    Raises:
        OSError: it cannot be read.

    """
    try:
        descriptor = os.open(root / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        text = os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
    try:
        said = json.loads(text)
        return Identity(
            node=str(said["node"]),
            pool=str(said["pool"]),
            type=DiskType(said["type"]),
            raid=Raid(said["raid"]),
            disks=int(said["disks"]),
            size=int(said["size"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
