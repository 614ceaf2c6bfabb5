from __future__ import annotations

import errno

import attrs

from statehold_qsfs.files._names import Names
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._volume import ROOT, Volume


@attrs.define(eq=False)
class Paths:
    """Files by path: what was found is remembered, until a name on the way to it may have changed.

    The lock of the volume is held by who calls.
    """

    volume: Volume
    names: Names

    def find(self, path: str) -> Node:
        """Return the file at *path*."""
        volume = self.volume
        found = volume.paths.get(path)
        if found is None or not found.cached:
            volume.check_open()
            if path == "/":
                found = volume.node(ROOT)
            else:
                parent, name = self.split(path, errno.ENOENT)
                try:
                    found = self.names.find(parent, name)
                except OSError as error:
                    error.filename = path
                    raise
            volume.paths[path] = found
        return found

    def split(self, path: str, of_root: int) -> tuple[Node, str]:
        """Return the directory that *path* is in, and the name there; *of_root* is what "/" is refused by."""
        head, _, name = path.rpartition("/")
        if not name:
            raise refuse(of_root if path == "/" else errno.ENOENT, path)
        parent = self.find(head or "/")
        if not parent.is_directory:
            raise refuse(errno.ENOTDIR, path)
        return parent, name

    def forget(self, path: str, node: Node | None = None) -> None:
        """Note that another file may be at *path*; of a directory, that others are below it."""
        if node is not None and node.is_directory:
            self.volume.paths.clear()
        else:
            self.volume.paths.pop(path, None)
