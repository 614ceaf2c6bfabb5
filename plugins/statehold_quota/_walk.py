"""Walks over folders that somebody else may be changing meanwhile, and never leaves them by a link."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BLOCK: Final = 512


def size_of(folder: Path) -> int:
    """Return how many bytes the files under *folder* take on their disk; one with several names counts once.

    Raises:
        OSError: *folder* itself cannot be read. What vanishes during the walk does not count.

    """
    folder.lstat()
    seen: set[tuple[int, int]] = set()
    total = 0
    for _, found in _entries(folder):
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        total += found.st_blocks * BLOCK
    return total


def change_owner(folder: Path, *, before: tuple[int, int], after: tuple[int, int]) -> None:
    """Give all under *folder* that belongs to user or group *before* to *after*; links are not followed.

    Raises:
        OSError: the system does not permit it.

    """
    for (name, where), _ in _entries(folder):
        # By an open handle: a name may mean another file by the time its owner is changed.
        try:
            held = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=where)
        except FileNotFoundError:
            continue
        try:
            _change(held, before, after)
        finally:
            os.close(held)
    held = os.open(folder, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _change(held, before, after)
    finally:
        os.close(held)


def _change(held: int, before: tuple[int, int], after: tuple[int, int]) -> None:
    found = os.fstat(held)
    uid = after[0] if found.st_uid == before[0] else -1
    gid = after[1] if found.st_gid == before[1] else -1
    if (uid, gid) != (-1, -1):
        os.chown(f"/proc/self/fd/{held}", uid, gid)


def remove_tree(folder: Path) -> None:
    """Remove *folder* with all in it; it not being there is no error.

    Raises:
        OSError: something cannot be removed.

    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():
            shutil.rmtree(folder)
    except NotADirectoryError:
        folder.unlink()


def _entries(folder: Path) -> Iterator[tuple[tuple[str, int], os.stat_result]]:
    """Yield each entry under *folder* as its name, the open folder it is in, and its state."""
    for _, folders, files, where in os.fwalk(folder, onerror=_only_missing, follow_symlinks=False):
        for name in (*folders, *files):
            try:
                found = os.stat(name, dir_fd=where, follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield (name, where), found


def _only_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
