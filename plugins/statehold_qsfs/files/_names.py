from __future__ import annotations

import errno
import stat
from typing import Final

import attrs

from statehold_qsfs.files._content import Content
from statehold_qsfs.files._layout import bucket_key
from statehold_qsfs.files._nodes import Node, new_bucket
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._values import MAX_NAME, MAX_TARGET, Entry
from statehold_qsfs.files._volume import ROOT, Volume, is_directory, kind_of

NOREPLACE: Final = 1
EXCHANGE: Final = 2
#: The most names that one file can have, as others have it.
_MOST_LINKS: Final = 65_000
_TYPES: Final = frozenset(
    (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK)
)


@attrs.define(eq=False)
class Names:
    """Directories: finding, making, moving and removing names.

    Attributes:
        volume: what they are of; its lock is held by who calls.

    """

    volume: Volume
    content: Content

    def find(self, parent: Node, name: str) -> Node:
        """Return the file that has a name in a directory."""
        return self.volume.node(self.entry(parent, name) >> 4)

    def entry(self, parent: Node, name: str) -> int:
        """Return what *parent* notes under *name*."""
        if not parent.is_directory:
            raise refuse(errno.ENOTDIR, name)
        found = self.get(parent, name)
        if found is None:
            if len(name) > MAX_NAME // 4:
                check_name(name)
            raise refuse(errno.ENOENT, name)
        return found

    def get(self, parent: Node, name: str) -> int | None:
        """Return what *parent* notes under *name*, or None."""
        return self.volume.bucket(parent, parent.bucket_of(name)).entries.get(name)

    def list(self, node: Node) -> list[Entry]:
        """Return what is in a directory."""
        if not node.is_directory:
            raise refuse(errno.ENOTDIR)
        found: list[Entry] = []
        for number in range(node.bucket_count):
            bucket = self.volume.bucket(node, number)
            found += [Entry(name, entry >> 4, kind_of(entry)) for name, entry in bucket.entries.items()]
        self.volume.read_times(node)
        return found

    # Making

    def make(
        self,
        parent: Node,
        name: str,
        mode: int,
        *,
        uid: int,
        gid: int,
        rdev: int = 0,
        target: str | None = None,
    ) -> Node:
        """Make something where nothing is; *target* is of a symbolic link."""
        volume = self.volume
        volume.check_writable()
        kind = stat.S_IFMT(mode) or stat.S_IFREG
        if kind not in _TYPES or (kind == stat.S_IFLNK) == (target is None):
            raise refuse(errno.EINVAL, name)
        content = _target(target) if target is not None else b""
        self._check_place(parent, name)
        is_folder = kind == stat.S_IFDIR
        if is_folder and parent.nlink >= _MOST_LINKS:
            raise refuse(errno.EMLINK, name)
        mode = kind | mode & 0o7777
        if parent.mode & stat.S_ISGID:
            gid = parent.gid
            if is_folder:
                mode |= stat.S_ISGID
        node = volume.make(mode, uid=uid, gid=gid, rdev=rdev)
        node.content, node.size = content, len(content)
        if is_folder:
            node.nlink, node.parent, node.content = 2, parent.ino, None
            parent.nlink += 1
        self._add(parent, name, node)
        return node

    def link(self, node: Node, parent: Node, name: str) -> None:
        """Give a file a further name."""
        volume = self.volume
        volume.check_writable()
        if node.is_directory:
            raise refuse(errno.EPERM, name)
        if node.nlink >= _MOST_LINKS:
            raise refuse(errno.EMLINK, name)
        if node.nlink == 0:
            raise refuse(errno.ENOENT, name)
        self._check_place(parent, name)
        node.nlink += 1
        node.ctime = volume.now()
        volume.touch(node)
        self._add(parent, name, node)

    def _check_place(self, parent: Node, name: str) -> None:
        """Raise what keeps anything from being made there."""
        if not parent.is_directory:
            raise refuse(errno.ENOTDIR, name)
        check_name(name)
        if self.get(parent, name) is not None:
            raise refuse(errno.EEXIST, name)
        if parent.nlink == 0:
            raise refuse(errno.ENOENT, name)

    # Removing

    def unlink(self, parent: Node, name: str) -> None:
        """Take the name of what is no directory away."""
        self.volume.check_writable()
        entry = self.entry(parent, name)
        if is_directory(entry):
            raise refuse(errno.EISDIR, name)
        node = self.volume.node(entry >> 4)
        self._take(parent, name)
        self._lose(node)

    def rmdir(self, parent: Node, name: str) -> None:
        """Remove an empty directory."""
        self.volume.check_writable()
        entry = self.entry(parent, name)
        if not is_directory(entry):
            raise refuse(errno.ENOTDIR, name)
        node = self.volume.node(entry >> 4)
        if node.count:
            raise refuse(errno.ENOTEMPTY, name)
        self._take(parent, name)
        parent.nlink -= 1
        self._lose(node)

    def _lose(self, node: Node) -> None:
        """Note that a name of *node* has gone."""
        volume = self.volume
        node.nlink = 0 if node.is_directory else node.nlink - 1
        node.ctime = volume.now()
        volume.touch(node)
        if node.nlink == 0:
            volume.unlinked[node.ino] = node
            self.leave(node)

    def leave(self, node: Node) -> None:
        """Remove a file that has no name, unless somebody has it open."""
        volume = self.volume
        if node.nlink or node.opens or node.ino in volume.held or volume.read_only:
            return
        if node.is_directory:
            for number in range(node.bucket_count):
                volume.remove(bucket_key(node.ino, number))
            node.names = None
        else:
            self.content.drop(node)
        volume.remove(node.key)
        volume.forget(node)
        volume.unlinked.pop(node.ino, None)
        volume.files -= 1

    # Moving

    def rename(self, parent: Node, name: str, target: Node, new: str, flags: int) -> None:
        """Give what *parent* has under *name* the name *new* in *target*."""
        volume = self.volume
        volume.check_writable()
        if flags not in (0, NOREPLACE, EXCHANGE):
            raise refuse(errno.EINVAL, name)
        if not target.is_directory:
            raise refuse(errno.ENOTDIR, new)
        entry = self.entry(parent, name)
        check_name(new)
        replaced = self.get(target, new)
        if replaced is None and flags == EXCHANGE:
            raise refuse(errno.ENOENT, new)
        if replaced is not None and flags == NOREPLACE:
            raise refuse(errno.EEXIST, new)
        if target.nlink == 0:
            raise refuse(errno.ENOENT, new)
        if replaced is not None and replaced >> 4 == entry >> 4:
            return  # two names of one file: POSIX has nothing done
        if is_directory(entry):
            self._check_not_below(target, entry >> 4)
        if replaced is not None and flags == EXCHANGE:
            if is_directory(replaced):
                self._check_not_below(parent, replaced >> 4)
            self._exchange((parent, name, entry), (target, new, replaced))
        else:
            self._move(parent, name, target, new)

    def _move(self, parent: Node, name: str, target: Node, new: str) -> None:
        volume = self.volume
        entry, replaced = self.entry(parent, name), self.get(target, new)
        node = volume.node(entry >> 4)
        lost = None
        if replaced is not None:
            lost = volume.node(replaced >> 4)
            _check_replace(node, lost, new)
        self._take(parent, name)
        if lost is None:
            self._add(target, new, node)
        else:
            self._put(target, new, entry)
            if lost.is_directory:
                target.nlink -= 1
            self._lose(lost)
        if node.is_directory:
            self._move_directory(node, parent, target)
        node.ctime = volume.now()
        volume.touch(node)

    def _exchange(self, one: tuple[Node, str, int], other: tuple[Node, str, int]) -> None:
        volume = self.volume
        nodes = [(volume.node(a[2] >> 4), a, b) for a, b in ((one, other), (other, one))]
        for node, (before, _, entry), (after, name, _) in nodes:
            self._put(after, name, entry)
            if node.is_directory:
                self._move_directory(node, before, after)
            node.ctime = volume.now()
            volume.touch(node)

    def _move_directory(self, node: Node, before: Node, after: Node) -> None:
        if before is not after:
            before.nlink -= 1
            after.nlink += 1
            node.parent = after.ino
            self.volume.touch(before)
            self.volume.touch(after)

    def _check_not_below(self, node: Node, ino: int) -> None:
        """Raise EINVAL if *node* is the directory *ino*, or is below it."""
        while node.ino != ROOT:
            if node.ino == ino:
                raise refuse(errno.EINVAL)
            node = self.volume.node(node.parent)

    # Names of one directory

    def adopt(self, parent: Node, name: str, node: Node) -> None:
        """Give a file that has no name one."""
        if self.get(parent, name) is None:
            self._add(parent, name, node)
            if node.is_directory:
                parent.nlink += 1
                node.parent = parent.ino
            else:
                node.nlink = 1
            self.volume.touch(node)

    def forget(self, parent: Node, name: str) -> None:
        """Take a name away whose file is not there."""
        self._take(parent, name)

    def _add(self, parent: Node, name: str, node: Node) -> None:
        """Have a name that was not there."""
        self._put(parent, name, node.entry)
        parent.count += 1
        split = parent.split_due
        if split is not None:
            self._split(parent, *split)

    def _put(self, parent: Node, name: str, entry: int) -> None:
        """Have a name, whether it was there or not."""
        volume = self.volume
        bucket = volume.bucket(parent, parent.bucket_of(name))
        bucket.entries[name] = entry
        volume.mark(bucket)
        parent.mtime = parent.ctime = volume.now()
        volume.touch(parent)

    def _take(self, parent: Node, name: str) -> None:
        """Have a name no more."""
        volume = self.volume
        bucket = volume.bucket(parent, parent.bucket_of(name))
        del bucket.entries[name]
        volume.mark(bucket)
        parent.count -= 1
        parent.mtime = parent.ctime = volume.now()
        volume.touch(parent)

    def _split(self, node: Node, old: int, new: int) -> None:
        """Move some names of the bucket *old* to a new one."""
        volume = self.volume
        bucket = volume.bucket(node, old)
        made = new_bucket(node.ino, new)
        assert node.names is not None  # noqa: S101 - `bucket` has made it
        node.names[new] = made
        node.bucket_count += 1
        moved = [name for name in bucket.entries if node.bucket_of(name) == new]
        for name in moved:
            made.entries[name] = bucket.entries.pop(name)
        volume.mark(bucket)
        volume.mark(made)


def check_name(name: str) -> None:
    """Raise what no file can be called."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise refuse(errno.EINVAL, name)
    if len(name.encode("utf-8", "surrogateescape")) > MAX_NAME:
        raise refuse(errno.ENAMETOOLONG, name)


def _target(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if not data:
        raise refuse(errno.ENOENT)
    if len(data) > MAX_TARGET:
        raise refuse(errno.ENAMETOOLONG)
    return data


def _check_replace(node: Node, lost: Node, name: str) -> None:
    if lost.is_directory:
        if not node.is_directory:
            raise refuse(errno.EISDIR, name)
        if lost.count:
            raise refuse(errno.ENOTEMPTY, name)
    elif node.is_directory:
        raise refuse(errno.ENOTDIR, name)
