from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: str | Path) -> None:
    """Return when the names of new, replaced and removed files in *folder* are on disk.

    Raises:
        OSError: they cannot be brought there, or there is no such folder.

    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace what *path* has, or make it, all at once; on disk when it returns.

    Who reads it meanwhile, or after a crash, finds what was there before or *data*. It has the permissions
    *mode*, less the umask: its owner alone can read it unless they say otherwise. A crash may leave a file
    beside it whose name begins with a dot and that of *path*.

    Raises:
        OSError: *data* cannot be written; then all is as before, but after a failed sync of the folder *path*
            may have *data* already.

    """
    draft = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)
