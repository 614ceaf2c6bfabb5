"""What moves contents from one disk to another, or mends them: programs that go on when we are killed."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

import attrs

from statehold_quota import programs
from statehold_zos.ledger import Ledger
from statehold_zos.model import Raid, ZosError
from statehold_zos.watch import _scrub
from statehold_zos.watch._btrfs import Btrfs, Errors

_MOVING: Final = "watch.moving"
_BEGINNING: Final = 60.0


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
    def command(self) -> Sequence[str]:
        """The program and its words. What is on a target is never overwritten: it has to be empty."""
        root, level = str(self.root), self.raid.value
        match self.move.kind:
            case MoveKind.REPLACE:
                return _btrfs(), "replace", "start", "-B", str(self.number), self.device, root
            case MoveKind.ADD:
                return _btrfs(), "device", "add", self.device, root
            case MoveKind.REMOVE:
                return _btrfs(), "device", "remove", str(self.number), root
            case MoveKind.HEAL:
                return sys.executable, "-I", "-S", _scrub.__file__, root, *map(str, self.errors)
            case MoveKind.SPREAD:
                converted = f"convert={level},soft"
                return _btrfs(), "balance", "start", "-f", *(f"-{kind}{converted}" for kind in "dms"), root


class Running:
    """A move that this process began. It ends by itself, also after this process."""

    def __init__(self, order: Order, turn: int) -> None:
        """Begin it; it keeps *turn* open as long as it runs."""
        self.order = order
        self._process = subprocess.Popen(  # noqa: S603  no shell, and no word of it from outside
            order.command,
            env={**os.environ, "LC_ALL": "C"},
            pass_fds=(turn,),
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
        return " ".join(told.split()) or f"it ended with {self._process.returncode}"

    def wait_until_at_work(self, btrfs: Btrfs) -> None:
        """Return when the file system has begun, or refused; at the latest after a minute."""
        end = time.monotonic() + _BEGINNING
        while self._process.poll() is None and not btrfs.at_work and time.monotonic() < end:
            time.sleep(0.01)

    def let_go(self) -> None:
        """Leave it to itself."""
        if self._process.poll() is None:
            self._process.returncode = 0  # nobody waits for it any more
        if self._process.stderr:
            self._process.stderr.close()


class Moving:
    """Which moves were begun and not ended, for whoever comes after us.

    A program that moves contents keeps a lock of its pool from before it begins until it has ended, so that
    whoever comes after a process that was killed knows of it also before the file system does.
    """

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._notes = ledger.notes
        self._turns = folder / "moves"

    def begin(self, order: Order) -> Running:
        """Keep that a move begins, and begin it; `is_at_work` has said that no other one of the pool runs."""
        turn = self._opened(order.move.pool)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)  # nobody has it, but for a moment those who ask
            self._put(order)
            return Running(order, turn)
        finally:
            os.close(turn)

    def is_at_work(self, pool: str, btrfs: Btrfs) -> bool:
        """Whether something is being moved or mended, whoever began it."""
        return (
            self._has_turn(pool)
            or bool(btrfs.at_work)
            or any(btrfs.scrubbed(member) is not None for member in btrfs.members)
        )

    def _has_turn(self, pool: str) -> bool:
        """Whether a program that moves contents of a pool runs."""
        turn = self._opened(pool)
        try:
            fcntl.flock(turn, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(turn)
        return False

    def _opened(self, pool: str) -> int:
        self._turns.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._turns / f"{pool}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _put(self, order: Order) -> None:
        move = order.move
        kept = {"kind": move.kind.value, "disk": move.disk, "target": move.target}
        text = json.dumps({**kept, "number": order.number, "held": order.held})
        self._notes.put(_MOVING, move.pool, text)

    def remove(self, pool: str) -> None:
        """Keep that the move of a pool has ended."""
        self._notes.remove(_MOVING, pool)

    def last(self, pool: str) -> Move | None:
        """Return which move of a pool was begun and not cleared away, whether it runs or not."""
        kept = self._kept(pool)
        return None if kept is None else _move(pool, kept)

    def now(self, pool: str, root: Path) -> Move | None:
        """Return what is being moved in a mounted pool, whoever began it, and how far it is."""
        kept = self._kept(pool)
        if kept is None:
            return None
        move = _move(pool, kept)
        done = _done(Btrfs(root), move.kind, kept["number"], kept["held"])
        if done is None and self._has_turn(pool):  # the file system does not know yet, or not any more
            done = 0.0
        return None if done is None else attrs.evolve(move, done=done)

    def _kept(self, pool: str) -> dict[str, Any] | None:
        text = self._notes.get(_MOVING, pool)
        return None if text is None else json.loads(text)


def _move(pool: str, kept: Mapping[str, Any]) -> Move:
    return Move(pool=pool, kind=MoveKind(kept["kind"]), disk=kept["disk"], target=kept["target"])


def _btrfs() -> str:
    place = programs.find("btrfs")
    if place is None:
        raise ZosError("the program btrfs is not installed", hint="on Debian it comes with btrfs-progs")
    return place


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
