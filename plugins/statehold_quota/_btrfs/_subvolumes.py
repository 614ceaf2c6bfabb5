from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from statehold_quota._backend import Group
from statehold_quota._btrfs import _ioctl
from statehold_quota._walk import check_depth

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNCOUNTED: Final = "trusted.statehold.uncounted"


def make(folder: Path) -> None:
    """Make a subvolume; that it is one already is no error."""
    if not _ioctl.is_subvolume(folder):
        _ioctl.make_subvolume(folder.parent, folder.name)


def folders_of(group: Group) -> list[Path]:
    """Return the subvolumes in the folder of a group."""
    return [folder for folder in group.path.iterdir() if _ioctl.is_subvolume(folder)]


def inner_subvolumes(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the subvolumes that somebody made inside of *folder*, the deepest first.

    Each as the open folder that it is in, and its name: paths may be swapped for links meanwhile.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        held = os.open(folder, _FOLDER)
        try:
            yield from _below(held, 1, folder)
        finally:
            os.close(held)


def _below(above: int, depth: int, top: Path) -> Iterator[tuple[int, str]]:
    check_depth(depth, top)
    with os.scandir(above) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    for name in names:
        with suppress(FileNotFoundError, NotADirectoryError):
            held = os.open(name, _FOLDER, dir_fd=above)
            try:
                yield from _below(held, depth + 1, top)
                is_subvolume = os.fstat(held).st_ino == _ioctl.FIRST_OBJECT
            finally:
                os.close(held)
            if is_subvolume:
                yield above, name


def subvolume_in(above: int, name: str) -> int:
    """Return the id of a subvolume in an open folder."""
    held = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    try:
        return _ioctl.subvolume_of(held)
    finally:
        os.close(held)


def uncounted(folder: Path) -> int:
    """Return how much of a group was there before quotas counted it."""
    try:
        return int(os.getxattr(folder, _UNCOUNTED))
    except OSError as error:
        if error.errno == errno.ENODATA:
            return 0
        raise


def set_uncounted(folder: Path, size: int) -> None:
    """Note how much of a group was there before quotas counted it."""
    os.setxattr(folder, _UNCOUNTED, str(size).encode())
