from __future__ import annotations

import builtins
import logging
import os
from collections.abc import Callable
from typing import Final, Self

from statehold_qsfs.files._by_handle import ByHandle
from statehold_qsfs.files._by_inode import ByInode
from statehold_qsfs.files._by_path import ByPath
from statehold_qsfs.files._check import Check
from statehold_qsfs.files._opening import open_volume, view_volume
from statehold_qsfs.files._parts import Parts
from statehold_qsfs.files._records import io_error
from statehold_qsfs.files._repair import repair as mend
from statehold_qsfs.files._values import BLOCK, MAX_NAME, FileSystemOptions, Report, Snapshot, Statistics
from statehold_qsfs.files._volume import ROOT, Volume
from statehold_zdb.engine import Engine, ZdbError

__all__ = ["ROOT", "FileSystem"]

#: As many files as one likes.
_MANY: Final = 1 << 40


class FileSystem(ByPath, ByHandle):
    """A filesystem in two namespaces of a 0-db engine, `NAME-meta` and `NAME-data`.

    Paths are absolute ("/a/b") and are not resolved: no "." or "..", and symbolic links are not followed.
    Bytes that are no UTF-8 come as surrogates, as the standard library has them. What a file refuses is an
    OSError with an errno. Permissions are not checked: who mounts it lets the kernel do so
    (`default_permissions`).
    Any number of threads may use it; one FileSystem at a time has the namespaces.

    All that was done until a `sync` or `fsync` is there after a crash, as a whole: what a crash leaves is the
    filesystem as it was at one point in time, the last such call or later.

    Args:
        engine: where the namespaces are, and are made if need be; it stays open when this is closed.
        name: what the namespaces are called.
        options: how it works.
        logger: where it tells what an operator should know.

    Raises:
        QsfsError: the namespaces are not those of a filesystem, or of a newer one, or lack parts, or another
            FileSystem has them.

    """

    def __init__(
        self,
        engine: Engine,
        *,
        name: str = "qsfs",
        options: FileSystemOptions | None = None,
        logger: logging.Logger | None = None,
    ) -> None:
        logger = logger or logging.getLogger("statehold_qsfs")
        volume = open_volume(engine, name, options or FileSystemOptions(), logger)
        try:
            self._begin(volume, logger, volume.let_go)
        except BaseException:
            volume.let_go()
            raise

    def _begin(self, volume: Volume, logger: logging.Logger, leave: Callable[[], object]) -> None:
        parts = self._parts = Parts.of(volume, logger)
        self._leave = leave
        self._by_inode = ByInode(parts, self.statistics)
        for node in list(volume.unlinked.values()):
            parts.names.leave(node)
        parts.commits.delete(volume.leftover)
        parts.commits.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Make all durable, and let go of the namespaces; a second time does nothing."""
        parts = self._parts
        volume = parts.volume
        with parts.lock:
            if volume.closed:
                return
            for handle in list(parts.handles):
                parts.release(handle)
            volume.held.clear()
            for node in list(volume.unlinked.values()):
                parts.names.leave(node)
        try:
            if not volume.read_only:
                parts.commits.sync(barrier=False)
        finally:
            with parts.lock:
                volume.closed = True
                volume.paths.clear()
            parts.commits.stop()
            self._leave()

    @property
    def inodes(self) -> ByInode:
        """The same by the numbers of files, as a kernel asks for them."""
        return self._by_inode

    # The whole

    def sync(self) -> None:
        """Return when all that was done survives a loss of power; one sync does for all who wait."""
        self._parts.volume.check_open()
        self._parts.commits.sync()

    def statistics(self) -> Statistics:
        """Return what there is to know of the whole."""
        volume = self._parts.volume
        disk = os.statvfs(volume.data.data)
        with self._parts.lock:
            options = volume.options
            total = options.quota or disk.f_blocks * disk.f_frsize
            free = max(0, volume.room - volume.dirty_bytes)
            if options.quota:
                free = min(free, max(0, options.quota - volume.used))
            return Statistics(
                block=BLOCK,
                total=total,
                used=volume.used,
                free=free,
                files=volume.files,
                free_files=max(0, options.max_files - volume.files) if options.max_files else _MANY,
                name_max=MAX_NAME,
                dirty=volume.dirty_bytes + volume.small_bytes,
                dirty_seconds=volume.dirty_for,
                commits=self._parts.commits.completed,
                open_files=len(self._parts.handles),
                unlinked=len(volume.unlinked),
                snapshots=len(volume.snapshots),
                failed=self._parts.commits.failed,
            )

    def compact(self) -> int:
        """Give back the space of what was deleted and overwritten, and return the bytes."""
        volume = self._parts.volume
        volume.check_writable()
        self._parts.commits.sync(barrier=False)
        self._parts.commits.delete_all()
        try:
            return volume.meta.compact() + volume.data.compact()
        except ZdbError as error:
            raise io_error(error) from error

    def check(self, *, deep: bool = False, repair: bool = False) -> Report:
        """Look for what is wrong with the whole, while nothing else is done to it.

        Args:
            deep: read every block, too.
            repair: mend what can be: blocks that nobody uses are deleted, files that no directory has come
                into `/lost+found`, names without a file go, counts are set right. Nothing is while a record
                cannot be read.

        """
        volume = self._parts.volume
        volume.check_open()
        with self._parts.commits.alone():
            findings = Check(volume, self._parts.commits.deletable, deep).run()
            if repair:
                volume.check_writable()
                mend(volume, self._parts.names, findings)
        if repair:
            self._parts.commits.sync(barrier=False)
        return findings.report

    def snapshot(self, name: str) -> Snapshot:
        """Keep all as it is now under *name*; what does not change afterwards takes no space twice."""
        made = self._parts.snapshots.make(name)
        return Snapshot(made.name, made.made)

    def snapshots(self) -> builtins.list[Snapshot]:
        """Return the snapshots, the oldest first."""
        return [Snapshot(found.name, found.made) for found in self._parts.volume.snapshots]

    def delete_snapshot(self, name: str) -> None:
        """Forget a snapshot, and free what only it needed."""
        self._parts.snapshots.delete(name)

    def at(self, name: str) -> FileSystem:
        """Return the filesystem as it was at a snapshot, to read only; closed on its own, before this one."""
        parts = self._parts
        with parts.lock:
            parts.volume.check_open()
            found = parts.snapshots.find(name)
            view = FileSystem.__new__(FileSystem)
            volume, leave = view_volume(parts.volume, found), parts.snapshots.look(found)
            view._begin(volume, parts.commits.logger, leave)  # noqa: SLF001 - its own class
            return view
