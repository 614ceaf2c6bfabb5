"""What moves contents from one disk to another, or mends them: programs that go on when we are killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Final

import attrs

from statehold_zos.ledger import Ledger
from statehold_zos.model import Raid, ZosError
from statehold_zos.watch._btrfs import Btrfs, Errors

_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
_MOVING: Final = "watch.moving"


class MoveKind(Enum):
    """How contents are moved or mended.

    `REPLACE`: copied onto another disk that takes the place of this one. `ADD`: a disk joins the pool, so
    that another can leave it. `REMOVE`: spread over the disks that are left. `HEAL`: read as a whole, and
    written anew where a copy is not what it should be. `SPREAD`: given the copies that were not made while
    a disk lacked.
    """

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"
    HEAL = "heal"
    SPREAD = "spread"


@attrs.frozen(kw_only=True)
class Move:
    """Contents of a pool that are being moved or mended.

    Attributes:
        pool: the id of the pool.
        kind: see `MoveKind`.
        disk: which disk it is about, "" for all.
        target: onto which other disk, "" for none.
        done: which part is done, 0 to 1.

    """

    pool: str
    kind: MoveKind
    disk: str = ""
    target: str = ""
    done: float = 0.0


@attrs.frozen(kw_only=True)
class Order:
    """A move as it is told to the file system.

    Attributes:
        move: what is to be done.
        root: where the pool is mounted.
        raid: how it spreads data.
        number: of the disk that is left, 0 for none.
        held: bytes that are on that disk.
        device: the block device of the target, "" for none.
        errors: of the disks, before it begins.

    """

    move: Move
    root: Path
    raid: Raid
    number: int = 0
    held: int = 0
    device: str = ""
    errors: Mapping[int, Errors] = attrs.field(factory=dict)

    @property
    def words(self) -> Sequence[str]:
        """The words after `btrfs`. What is on a target is never overwritten: it has to be empty."""
        root, level = str(self.root), self.raid.value
        match self.move.kind:
            case MoveKind.REPLACE:
                return "replace", "start", "-B", str(self.number), self.device, root
            case MoveKind.ADD:
                return "device", "add", self.device, root
            case MoveKind.REMOVE:
                return "device", "remove", str(self.number), root
            case MoveKind.HEAL:
                return "scrub", "start", "-B", root
            case MoveKind.SPREAD:
                converted = f"convert={level},soft"
                return "balance", "start", "-f", *(f"-{kind}{converted}" for kind in "dms"), root


class Running:
    """A move that this process began. It ends by itself, also after this process."""

    def __init__(self, order: Order) -> None:
        place = shutil.which("btrfs", path=_PATH)
        if place is None:
            raise ZosError("the program btrfs is not installed", hint="on Debian it comes with btrfs-progs")
        self.order = order
        self._process = subprocess.Popen(  # noqa: S603  no shell, and no word of it from outside
            [place, *order.words],
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,  # what ends this process does not end it halfway
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def outcome(self) -> str | None:
        """Return "" if it is done, what it said if it failed, None while it runs."""
        if self._process.poll() is None:
            return None
        _, told = self._process.communicate()
        if self._process.returncode == 0:
            return ""
        return " ".join(told.split()) or f"btrfs ended with {self._process.returncode}"

    def let_go(self) -> None:
        """Leave it to itself."""
        if self._process.poll() is None:
            self._process.returncode = 0  # nobody waits for it any more
        if self._process.stderr:
            self._process.stderr.close()


class Moving:
    """Which moves were begun and not ended, for whoever comes after us."""

    def __init__(self, ledger: Ledger) -> None:
        self._notes = ledger.notes

    def put(self, order: Order) -> None:
        """Keep that a move begins."""
        move = order.move
        kept = {"kind": move.kind.value, "disk": move.disk, "target": move.target}
        text = json.dumps({**kept, "number": order.number, "held": order.held})
        self._notes.put(_MOVING, move.pool, text)

    def remove(self, pool: str) -> None:
        """Keep that the move of a pool has ended."""
        self._notes.remove(_MOVING, pool)

    def target(self, pool: str) -> str:
        """Return the disk that contents of a pool are being moved to, "" for none."""
        text = self._notes.get(_MOVING, pool)
        return "" if text is None else str(json.loads(text)["target"])

    def now(self, pool: str, root: Path) -> Move | None:
        """Return what is being moved in a mounted pool, whoever began it, and how far it is."""
        text = self._notes.get(_MOVING, pool)
        if text is None:
            return None
        kept = json.loads(text)
        move = Move(pool=pool, kind=MoveKind(kept["kind"]), disk=kept["disk"], target=kept["target"])
        done = _done(Btrfs(root), move.kind, kept["number"], kept["held"])
        return None if done is None else attrs.evolve(move, done=done)


def is_at_work(btrfs: Btrfs) -> bool:
    """Whether something is being moved or mended, whoever began it."""
    return bool(btrfs.at_work) or any(btrfs.scrubbed(member) is not None for member in btrfs.members)


def _done(btrfs: Btrfs, kind: MoveKind, number: int, held: int) -> float | None:
    if kind is MoveKind.HEAL:
        parts = [part for member in btrfs.members if (part := btrfs.scrubbed(member)) is not None]
        return sum(parts) / len(parts) if parts else None
    if not btrfs.at_work:
        return None
    if kind is MoveKind.REPLACE:
        return btrfs.replaced
    if kind is MoveKind.REMOVE:
        left = sum(member.held for member in btrfs.members if member.number == number)
        return min(1.0, max(0.0, 1 - left / held)) if held else 0.0
    return 0.0
