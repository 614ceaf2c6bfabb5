from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from statehold.rows._errors import StoreHeldError, StoreUnavailableError


def hold(path: Path) -> Callable[[], None]:
    """Hold the store at *path*, and return what lets go of it; the kernel does when the process ends.

    The lock is on a file of its own: to close the store's would end the locks that SQLite has on it.

    Raises:
        StoreHeldError: another one holds it.
        StoreUnavailableError: its folder cannot be written.

    """
    try:
        descriptor = os.open(
            path.with_name(f"{path.name}-hold"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise StoreUnavailableError(f"store {path} cannot be held: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(descriptor, f"{os.getpid():<19}\n".encode(), 0)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise StoreHeldError(
                f"store {path} is held by process {holder or 'unknown'}", hint="stop that process first"
            ) from None
        raise StoreUnavailableError(f"store {path} cannot be held: {error.strerror}") from error
    return partial(os.close, descriptor)
