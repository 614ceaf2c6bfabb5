from __future__ import annotations

import errno
import fcntl
import os
import weakref
from pathlib import Path

from statehold.hosting._errors import FolderHeldError
from statehold.sdk import HostError


class FolderLock:
    """Holds a data folder for one host of one process until it is released.

    The lock is the kernel's: it dies with its holder, however that dies. One that is forgotten is
    released when it is collected.

    Raises:
        FolderHeldError: another host holds the folder.
        HostError: it cannot be written.

    """

    def __init__(self, folder: Path) -> None:
        try:
            descriptor = os.open(folder / "host.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(
                f"the data folder {folder} cannot be written: {error.strerror}",
                hint="Give this user write access to it, free space on its disk, or name another folder",
            ) from error
        try:
            _take(descriptor, folder)
        except BaseException:
            os.close(descriptor)
            raise
        self.release = weakref.finalize(self, os.close, descriptor)


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(descriptor, f"{os.getpid():<19}\n".encode(), 0)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            raise FolderHeldError(
                f"the data folder {folder} is in use by another host, process {holder or 'unknown'}",
                hint="Stop that process, or name another data folder: a folder serves one host at a time. "
                "Where it is a server, send it the image: statehold deploy IMAGE --to URL",
            ) from None
        raise HostError(
            f"the data folder {folder} cannot be locked: {error.strerror}",
            hint="A host needs a local disk with free space",
        ) from error
