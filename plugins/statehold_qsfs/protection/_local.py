"""What a folder says of itself: whose it is, and whether it was restored to the end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

from statehold.sdk import replace_file, sync_folder
from statehold_qsfs.protection._errors import ProtectionError

_OWNER: Final = "owner"
_RESTORING: Final = "restoring"
_LOCK: Final = ".lock"


def hold(folder: Path) -> int:
    """Have a folder alone, and return the descriptor that is closed to let go of it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise ProtectionError(
            f"{folder} is held by another process", hint="Stop that one first, or use another folder"
        ) from error
    return fd


def owner_of(folder: Path) -> str:
    """Return the name by which a folder is known in the store; empty where it has none."""
    if (folder / _RESTORING).exists():
        raise ProtectionError(
            f"{folder} was not restored to the end",
            hint="Restore again: what is there of it is removed first",
        )
    with contextlib.suppress(FileNotFoundError):
        return (folder / _OWNER).read_text(encoding="ascii").strip()
    return ""


def new_owner(folder: Path) -> str:
    """Give a folder a name, on disk when it returns, and return it."""
    owner = secrets.token_hex(16)
    replace_file(folder / _OWNER, owner.encode("ascii"))
    return owner


def begin_restore(folder: Path) -> None:
    """Note that a folder is not whole."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(folder / _RESTORING, b"")


def end_restore(folder: Path, owner: str) -> None:
    """Note that a folder is whole, and whose it is."""
    replace_file(folder / _OWNER, owner.encode("ascii"))
    (folder / _RESTORING).unlink()
    sync_folder(folder)


def is_restoring(folder: Path) -> bool:
    """Whether a restore into a folder did not come to its end."""
    return (folder / _RESTORING).exists()
