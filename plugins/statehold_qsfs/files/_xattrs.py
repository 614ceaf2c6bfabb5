from __future__ import annotations

import errno
from typing import Final

import attrs

from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._values import MAX_NAME, MAX_XATTR, MAX_XATTRS
from statehold_qsfs.files._volume import Volume

_CREATE: Final = 1
_REPLACE: Final = 2
#: What is kept as it is given. What the kernel takes from `system.` it would believe to be enforced.
_FAMILIES: Final = (b"user.", b"trusted.", b"security.")


@attrs.define(eq=False)
class Xattrs:
    """Extended attributes of files; the lock of the volume is held by who calls."""

    volume: Volume

    def get(self, node: Node, name: str) -> bytes:
        """Return an attribute."""
        found = (node.xattrs or {}).get(_key(name))
        if found is None:
            raise refuse(errno.ENODATA)
        return found

    def set(self, node: Node, name: str, value: bytes, flags: int) -> None:
        """Set an attribute."""
        volume = self.volume
        volume.check_writable()
        key = _key(name)
        if len(key) > MAX_NAME:
            raise refuse(errno.ERANGE)
        if len(value) > MAX_XATTR:
            raise refuse(errno.E2BIG)
        known = node.xattrs or {}
        if flags == _CREATE and key in known:
            raise refuse(errno.EEXIST)
        if flags == _REPLACE and key not in known:
            raise refuse(errno.ENODATA)
        if sum(len(k) + len(v) for k, v in known.items() if k != key) + len(key) + len(value) > MAX_XATTRS:
            raise refuse(errno.ENOSPC)
        node.xattrs = {**known, key: bytes(value)}
        self._note(node, len(value))

    def list(self, node: Node) -> list[str]:
        """Return the names."""
        return [key.decode("utf-8", "surrogateescape") for key in node.xattrs or ()]

    def remove(self, node: Node, name: str) -> None:
        """Remove an attribute."""
        self.volume.check_writable()
        key = _key(name)
        if not node.xattrs or key not in node.xattrs:
            raise refuse(errno.ENODATA)
        node.xattrs = {k: v for k, v in node.xattrs.items() if k != key} or None
        self._note(node, 0)

    def _note(self, node: Node, size: int) -> None:
        volume = self.volume
        volume.small_bytes += size
        node.ctime = volume.now()
        volume.touch(node)


def _key(name: str) -> bytes:
    key = name.encode("utf-8", "surrogateescape")
    if not key.startswith(_FAMILIES):
        raise refuse(errno.EOPNOTSUPP)
    return key
