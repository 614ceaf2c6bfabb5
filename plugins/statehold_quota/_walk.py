"""Walks over folders that somebody else may be changing meanwhile, and never leaves them by a link."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

BLOCK: Final = 512
#: Each step down takes a descriptor, and a call of Python.
_DEEPEST: Final = 200
#: Of another project or subvolume, or there is no room for one more name: a folder is emptied where it is.
_STAYS: Final = frozenset({errno.EXDEV, errno.ENOSPC, errno.EDQUOT})
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def size_of(folder: Path) -> int:
    """Return how many bytes the files under *folder* take on their disk; one with several names counts once.

    Raises:
        OSError: *folder* itself cannot be read, or is too deep. What vanishes during the walk does not
            count.

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
        OSError: the system does not permit it, or *folder* is too deep.

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
    """Remove *folder* with all in it, however deep that is; it not being there is no error.

    Raises:
        OSError: something cannot be removed.

    """
    try:
        held = os.open(folder, _FOLDER)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        folder.unlink()
        return
    try:
        for name in _names(held):
            _remove(held, name, held)
    finally:
        os.close(held)
    folder.rmdir()


def check_depth(depth: int, folder: Path) -> None:
    """Raise OSError where folders lie so deep in each other that walking there would harm others."""
    if depth > _DEEPEST:
        raise OSError(errno.ELOOP, f"its folders lie in each other more than {_DEEPEST} deep", str(folder))


def _remove(where: int, name: str, top: int) -> None:
    """Remove what is called *name* in an open folder; of a folder, what is in it is moved to *top* first."""
    try:
        held = os.open(name, _FOLDER, dir_fd=where)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        os.unlink(name, dir_fd=where)
        return
    try:
        for inner in _names(held):
            if not _is_gone(held, inner):
                _lift(held, inner, top)
    finally:
        os.close(held)
    os.rmdir(name, dir_fd=where)


def _is_gone(where: int, name: str) -> bool:
    """Remove a file or an empty folder; False where it is neither."""
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=where)
        except IsADirectoryError:
            try:
                os.rmdir(name, dir_fd=where)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                return False
    return True


def _lift(where: int, name: str, top: int) -> None:
    try:
        os.rename(name, f".removed-{secrets.token_hex(8)}", src_dir_fd=where, dst_dir_fd=top)
    except OSError as error:
        if error.errno not in _STAYS:
            raise
        try:
            shutil.rmtree(name, dir_fd=where)
        except RecursionError:
            check_depth(_DEEPEST + 1, Path(name))


def _names(where: int) -> Iterator[str]:
    """Yield what is in an open folder until nothing is left in it."""
    while True:
        with os.scandir(where) as entries:
            names = [entry.name for entry in entries]
        if not names:
            return
        yield from names


def _entries(folder: Path) -> Iterator[tuple[tuple[str, int], os.stat_result]]:
    """Yield each entry under *folder* as its name, the open folder it is in, and its state."""
    top = os.fspath(folder)
    for path, folders, files, where in os.fwalk(top, onerror=_only_missing, follow_symlinks=False):
        check_depth(path.count("/") - top.count("/"), folder)
        for name in (*folders, *files):
            try:
                found = os.stat(name, dir_fd=where, follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield (name, where), found


def _only_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
