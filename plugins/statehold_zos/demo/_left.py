"""What a demo that was killed has left: its folder, and servers, mounts and loop devices in it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from statehold.sdk import StateholdError
from statehold_zos.demo._ground import Folders, Ground, Images
from statehold_zos.node import Node

PREFIX: Final = "statehold-demo-"
_LOCK: Final = "demo.lock"


@contextmanager
def marked(folder: Path) -> Iterator[None]:
    """Say that a folder is in use while the block runs; when this process is killed, it is not any more."""
    new = folder / f"{_LOCK}-new"
    held = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        new.rename(folder / _LOCK)  # nobody sees it unlocked
        yield
    finally:
        # Whoever ended by himself needs nobody to clear up after him.
        (folder / _LOCK).unlink(missing_ok=True)
        os.close(held)


def clear(where: Path) -> None:
    """Undo what demos of the same user left in a folder when they were killed; what fails is left there."""
    for folder in sorted(where.glob(f"{PREFIX}*")):
        with suppress(OSError), _abandoned(folder):
            found: Ground = (
                Images(folder) if (folder / "ssd1.img").exists() else Folders(folder, "a demo was killed")
            )
            with suppress(StateholdError, OSError), Node(found.config) as node:
                node.namespaces.stop()
            found.undo()
            shutil.rmtree(folder)


@contextmanager
def _abandoned(folder: Path) -> Iterator[None]:
    """Hold the folder of a demo that has ended; OSError where it has not, or is somebody else's."""
    if folder.lstat().st_uid != os.geteuid():
        raise PermissionError(folder)
    held = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
