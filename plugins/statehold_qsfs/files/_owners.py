from __future__ import annotations

import stat
from typing import Final

import attrs

from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._volume import Volume

#: What callers say for an owner that is to stay.
_NOBODY: Final = (None, -1, 0xFFFFFFFF)
#: The last time that there is: in the year 2262.
_LATEST: Final = (1 << 63) - 1


@attrs.define(eq=False)
class Owners:
    """Permissions, owners and times; the lock of the volume is held by who calls."""

    volume: Volume

    def change(
        self,
        node: Node,
        *,
        mode: int | None = None,
        uid: int | None = None,
        gid: int | None = None,
        atime: int | None = None,
        mtime: int | None = None,
        ctime: int | None = None,
    ) -> None:
        """Set what is not None."""
        volume = self.volume
        volume.check_writable()
        if mode is not None:
            node.mode = stat.S_IFMT(node.mode) | mode & 0o7777
        if uid not in _NOBODY and uid is not None:
            node.uid = uid & 0xFFFFFFFF
        if gid not in _NOBODY and gid is not None:
            node.gid = gid & 0xFFFFFFFF
        if atime is not None:
            node.atime = _time(atime)
        if mtime is not None:
            node.mtime = _time(mtime)
        node.ctime = volume.now() if ctime is None else _time(ctime)
        volume.touch(node)


def _time(nanoseconds: int) -> int:
    return max(-_LATEST, min(nanoseconds, _LATEST))
