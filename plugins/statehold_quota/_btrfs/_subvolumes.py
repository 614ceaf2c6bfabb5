from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from statehold_quota._backend import Group
from statehold_quota._btrfs import _ioctl

_UNCOUNTED: Final = "trusted.statehold.uncounted"


def make(folder: Path) -> None:
    """Make a subvolume; that it is one already is no error."""
    if not _ioctl.is_subvolume(folder):
        _ioctl.make_subvolume(folder)


def folders_of(group: Group) -> list[Path]:
    """Return the subvolumes in the folder of a group."""
    return [folder for folder in group.path.iterdir() if _ioctl.is_subvolume(folder)]


def inner_subvolumes(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the subvolumes that somebody made inside of *folder*, the deepest first.

    Each as the open folder that it is in, and its name: paths may be swapped for links meanwhile.
    """
    for _, folders, _, above in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in folders:
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=above, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode) and found.st_ino == _ioctl.FIRST_OBJECT:
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
