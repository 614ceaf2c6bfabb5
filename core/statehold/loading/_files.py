from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from statehold.sdk import PluginError, sync_folder

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9_]+)*")


class PluginFiles:
    """A folder of plugin files by digest, safe against crashes and between processes.

    A file that is there under its name is whole: it is written beside, synced and then renamed, and its
    digest is verified each time it is asked for.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._remove_leftovers()

    def add(self, data: bytes, *, sha256: str, suffix: str, executable: bool = False) -> Path:
        """Return the path of a file that holds *data*, `<sha256><suffix>`; it is copied only once.

        A file of that name with other content, half-copied or tampered with, is replaced. It can be read by
        every user that finds its folder, as a sidecar does, and executed if it is *executable*.

        Raises:
            PluginError: *data* does not have the digest, or the folder cannot be written.

        """
        if not _SHA256.fullmatch(sha256) or not _SUFFIX.fullmatch(suffix):
            raise PluginError(f"{sha256!r} with {suffix!r} is not the name of a plugin file")
        got = hashlib.sha256(data).hexdigest()
        if got != sha256:
            raise PluginError(
                f"a plugin file does not have its digest: expected {sha256}, got {got}",
                hint="Build or fetch the image again",
            )
        target = self.folder / f"{sha256}{suffix}"
        try:
            if not _holds(target, sha256):
                while not self._write(target, data, 0o555 if executable else 0o444):
                    pass
        except OSError as error:
            raise PluginError(
                f"the plugin file {target} cannot be written: {error.strerror or error}",
                hint="Make room, or give the host the right to write there",
            ) from error
        return target

    def _write(self, target: Path, data: bytes, mode: int) -> bool:
        """Write *target* in one step; False when a clean-up took the temporary file before it was locked."""
        temporary = self.folder / f".{target.name}.{secrets.token_hex(8)}.tmp"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        try:
            # The lock tells a clean-up, here or in another process, that somebody still writes.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink == 0:
                return False
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
            # Whatever the umask of the host: a sidecar is another user.
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            temporary.replace(target)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
            os.close(descriptor)
        sync_folder(self.folder)
        return True

    def _remove_leftovers(self) -> None:
        for temporary in self.folder.glob(".*.tmp"):
            with suppress(OSError):
                descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    temporary.unlink()
                finally:
                    os.close(descriptor)


def _holds(path: Path, sha256: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        try:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            return False
