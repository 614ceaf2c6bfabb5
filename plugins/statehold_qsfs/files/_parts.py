from __future__ import annotations

import errno
import itertools
import logging
from collections.abc import Iterator
from threading import RLock
from typing import Self

import attrs

from statehold_qsfs.files._commit import Commits
from statehold_qsfs.files._content import Content
from statehold_qsfs.files._flushing import Flushing
from statehold_qsfs.files._names import Names
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._owners import Owners
from statehold_qsfs.files._paths import Paths
from statehold_qsfs.files._reading import Reading
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._snapshots import Snapshots
from statehold_qsfs.files._values import Entry
from statehold_qsfs.files._volume import Volume
from statehold_qsfs.files._xattrs import Xattrs


@attrs.define(eq=False)
class Handle:
    """An open file, or directory with what was in it when it was first asked for."""

    node: Node
    writes: bool = False
    entries: list[Entry] | None = None


@attrs.define(eq=False, kw_only=True)
class Parts:
    """The parts of one filesystem."""

    volume: Volume
    lock: RLock
    names: Names
    paths: Paths
    content: Content
    reading: Reading
    xattrs: Xattrs
    owners: Owners
    commits: Commits
    snapshots: Snapshots
    handles: dict[int, Handle] = attrs.field(factory=dict)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    @classmethod
    def of(cls, volume: Volume, logger: logging.Logger) -> Self:
        """Return the parts that work on *volume*."""
        flushing = Flushing(volume)
        content = Content(volume)
        names = Names(volume, content)
        commits = Commits(volume, flushing, logger, barrier=volume.options.barrier)
        volume.pressed = commits.press
        return cls(
            volume=volume,
            lock=volume.lock,
            names=names,
            paths=Paths(volume, names),
            content=content,
            reading=Reading(volume),
            xattrs=Xattrs(volume),
            owners=Owners(volume),
            commits=commits,
            snapshots=Snapshots(volume, commits),
        )

    def handle(self, number: int, *, writes: bool = False) -> Handle:
        """Return what has that number; EBADF if nothing has, or it must not be written."""
        found = self.handles.get(number)
        if found is None or (writes and not found.writes):
            raise refuse(errno.EBADF)
        return found

    def hold(self, node: Node, *, writes: bool = False) -> int:
        """Return a new handle."""
        node.opens += 1
        number = next(self._numbers)
        self.handles[number] = Handle(node, writes)
        return number

    def release(self, number: int) -> None:
        """Let go of a handle."""
        opened = self.handles.pop(number, None)
        if opened is None:
            raise refuse(errno.EBADF)
        opened.node.opens -= 1
        self.names.leave(opened.node)
