from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from statehold_zos.model import ZosError

#: What the path of a socket may have, and what the name of one takes of that.
_MOST: Final = 107
_NAME: Final = 22
_SHORT: Final = Path("/tmp")  # noqa: S108  in a folder that nobody else may enter


def sockets_of(folder: Path) -> Path:
    """Return where servers listen: in *folder*, or where its path is too long for sockets, in a short one.

    That follows from *folder* alone, so that every process finds it.
    """
    if len(os.fsencode(folder)) + _NAME <= _MOST:
        return folder
    name = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    return _SHORT / f"statehold-zos-{os.geteuid()}-{name}"


def make(sockets: Path) -> None:
    """Make the folder of sockets where it is not there.

    Raises:
        ZosError: somebody else has made it, or may enter it.

    """
    sockets.mkdir(mode=0o700, exist_ok=True)
    found = sockets.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ZosError(
            f"{sockets}, where servers are to listen, is not a folder that this user alone may enter",
            hint="Remove it, or give the node a folder with a shorter path",
        )


def tidy(sockets: Path, folder: Path) -> None:
    """Remove a short folder of sockets once nothing is in it."""
    if sockets != folder:
        with contextlib.suppress(OSError):
            sockets.rmdir()
