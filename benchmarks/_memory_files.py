"""The floor of a mounted filesystem: files in memory, through the same binding with the same options."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from statehold_qsfs.files import BLOCK, Attributes, Entry, Statistics


class _Node:
    __slots__ = ("data", "known", "names", "target", "xattrs")

    def __init__(self, known: Attributes, target: str) -> None:
        self.known = known
        self.target = target
        self.data = bytearray()
        self.names: dict[str, _Node] = {}
        self.xattrs: dict[str, bytes] = {}

    def set(self, **changes: int) -> Attributes:
        known = self.known
        fields = {name: getattr(known, name) for name in Attributes.__struct_fields__}
        self.known = Attributes(**{**fields, **changes})
        return self.known


class MemoryFiles:
    """What the kernel asks for, from dictionaries; nothing is ever durable."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node] = {}
        self._next = 1
        self._held: set[int] = set()
        self._made(stat.S_IFDIR | 0o755, 0, 0, 0, "")

    def hold(self, ino: int) -> None:
        self._held.add(ino)

    def drop(self, ino: int) -> None:
        self._held.discard(ino)
        if not self._node(ino).known.nlink:
            del self._nodes[ino]

    def attributes(self, ino: int) -> Attributes:
        return self._node(ino).known

    def lookup(self, parent: int, name: str) -> Attributes:
        return self._child(parent, name).known

    def entries(self, ino: int) -> Sequence[Entry]:
        return [Entry(name, each.known.ino, each.known.mode) for name, each in self._node(ino).names.items()]

    def make(
        self, parent: int, name: str, mode: int, *, uid: int, gid: int, rdev: int = 0, target: str = ""
    ) -> Attributes:
        folder = self._node(parent)
        if name in folder.names:
            raise _refused(errno.EEXIST)
        if len(os.fsencode(name)) > 255:
            raise _refused(errno.ENAMETOOLONG)
        node = folder.names[name] = self._made(mode, uid, gid, rdev, target)
        self._changed(folder, int(stat.S_ISDIR(mode)))
        return node.known

    def link(self, ino: int, parent: int, name: str) -> Attributes:
        folder, node = self._node(parent), self._node(ino)
        if name in folder.names:
            raise _refused(errno.EEXIST)
        folder.names[name] = node
        self._changed(folder)
        return node.set(nlink=node.known.nlink + 1, ctime=time.time_ns())

    def unlink(self, parent: int, name: str) -> None:
        node = self._child(parent, name)
        if stat.S_ISDIR(node.known.mode):
            raise _refused(errno.EISDIR)
        del self._node(parent).names[name]
        self._changed(self._node(parent))
        self._unlinked(node, 1)

    def rmdir(self, parent: int, name: str) -> None:
        node = self._child(parent, name)
        if not stat.S_ISDIR(node.known.mode):
            raise _refused(errno.ENOTDIR)
        if node.names:
            raise _refused(errno.ENOTEMPTY)
        del self._node(parent).names[name]
        self._changed(self._node(parent), -1)
        self._unlinked(node, 2)

    def rename(self, parent: int, name: str, new_parent: int, new_name: str, flags: int) -> None:
        node, source, folder = self._child(parent, name), self._node(parent), self._node(new_parent)
        there = folder.names.get(new_name)
        if flags & 2:
            if there is None:
                raise _refused(errno.ENOENT)
            source.names[name], folder.names[new_name] = there, node
        else:
            if there is not None and flags & 1:
                raise _refused(errno.EEXIST)
            if there is node:
                return
            if there is not None:
                (self.rmdir if stat.S_ISDIR(there.known.mode) else self.unlink)(new_parent, new_name)
            folder.names[new_name] = source.names.pop(name)
        moved = int(stat.S_ISDIR(node.known.mode))
        self._changed(source, -moved)
        self._changed(folder, moved)

    def target(self, ino: int) -> str:
        return self._node(ino).target

    def change(self, ino: int, **changes: Any) -> Attributes:
        node, now = self._node(ino), time.time_ns()
        if "mode" in changes:
            changes["mode"] |= stat.S_IFMT(node.known.mode)
        if "size" in changes:
            size = changes["size"]
            del node.data[size:]
            node.data += bytes(size - len(node.data))
            changes = {"mtime": now, "blocks": -(-size // 512), **changes}
        return node.set(**{"ctime": now, **changes})

    def read(self, ino: int, size: int, offset: int) -> bytes:
        return bytes(memoryview(self._node(ino).data)[offset : offset + size])

    def write(self, ino: int, data: bytes, offset: int) -> int:
        node, now = self._node(ino), time.time_ns()
        held = node.data
        if offset > len(held):
            held += bytes(offset - len(held))
        held[offset : offset + len(data)] = data
        known = node.known
        node.known = Attributes(
            known.ino,
            known.mode,
            known.nlink,
            known.uid,
            known.gid,
            known.rdev,
            len(held),
            -(-len(held) // 512),
            known.atime,
            now,
            now,
            known.birth,
        )
        return len(data)

    def allocate(self, ino: int, mode: int, offset: int, size: int) -> None:
        if mode:
            raise _refused(errno.EOPNOTSUPP)
        if offset + size > self._node(ino).known.size:
            self.change(ino, size=offset + size)

    def fsync(self, ino: int) -> None:
        pass

    def getxattr(self, ino: int, name: str) -> bytes:
        try:
            return self._node(ino).xattrs[name]
        except KeyError:
            raise _refused(errno.ENODATA) from None

    def setxattr(self, ino: int, name: str, value: bytes, flags: int) -> None:  # noqa: ARG002
        self._node(ino).xattrs[name] = value

    def listxattr(self, ino: int) -> list[str]:
        return list(self._node(ino).xattrs)

    def removexattr(self, ino: int, name: str) -> None:
        self.getxattr(ino, name)
        del self._node(ino).xattrs[name]

    def statistics(self) -> Statistics:
        return Statistics(
            block=BLOCK,
            total=1 << 34,
            used=0,
            free=1 << 34,
            files=len(self._nodes),
            free_files=1 << 30,
            name_max=255,
            dirty=0,
            dirty_seconds=0.0,
            commits=0,
            open_files=0,
            unlinked=0,
            snapshots=0,
            failed="",
        )

    def _made(self, mode: int, uid: int, gid: int, rdev: int, target: str) -> _Node:
        ino, now = self._next, time.time_ns()
        self._next += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        known = Attributes(ino, mode, links, uid, gid, rdev, len(os.fsencode(target)), 0, now, now, now, now)
        node = self._nodes[ino] = _Node(known, target)
        return node

    def _node(self, ino: int) -> _Node:
        try:
            return self._nodes[ino]
        except KeyError:
            raise _refused(errno.ENOENT) from None

    def _child(self, parent: int, name: str) -> _Node:
        try:
            return self._nodes[parent].names[name]
        except KeyError:
            raise _refused(errno.ENOENT) from None

    def _changed(self, folder: _Node, links: int = 0) -> None:
        now = time.time_ns()
        folder.set(nlink=folder.known.nlink + links, mtime=now, ctime=now)

    def _unlinked(self, node: _Node, links: int) -> None:
        known = node.set(nlink=node.known.nlink - links, ctime=time.time_ns())
        if not known.nlink and known.ino not in self._held:
            del self._nodes[known.ino]


def _refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


if __name__ == "__main__":  # mounts it until it is unmounted
    from statehold_qsfs.mount import Session

    session = Session(MemoryFiles(), Path(sys.argv[1]), source="memory")
    session.mount()
    print("mounted", flush=True)
    session.serve()
