from __future__ import annotations

import threading
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_qsfs.mount import opened

#: What the folders begin with where files are written before they have their names.
NEW: Final = "/.new-"


@attrs.define
class _Shared:
    files: FileSystem
    opening: AbstractContextManager[FileSystem]
    users: int = 0


@attrs.define(eq=False)
class Stores:
    """The filesystems that are open, each once, however many versions of an app use it."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _open: dict[Path, _Shared] = attrs.field(factory=dict, init=False)

    def take(self, folder: Path, options: FileSystemOptions) -> FileSystem:
        """Return the filesystem of *folder*, opened if nobody has it; the options of the first count."""
        with self._lock:
            shared = self._open.get(folder)
            if shared is None:
                opening = opened(folder, options=options)
                shared = self._open[folder] = _Shared(opening.__enter__(), opening)
                _sweep(shared.files)
            shared.users += 1
            return shared.files

    def give_back(self, folder: Path) -> None:
        """Close the filesystem of *folder*, if nobody else has it."""
        with self._lock:
            shared = self._open[folder]
            shared.users -= 1
            if shared.users:
                return
            del self._open[folder]
            shared.opening.__exit__(None, None, None)


def make_folder(files: FileSystem, path: str) -> None:
    """Make a folder, and those above it, that are not there."""
    for i in [i for i, letter in enumerate(path) if letter == "/" and i] + [len(path)]:
        try:
            files.getattr(path[:i])
        except FileNotFoundError:
            with suppress(FileExistsError):
                files.mkdir(path[:i], 0o755)


def _sweep(files: FileSystem) -> None:
    """Remove what was being written when a process was killed."""
    for folder in [f"/{entry.name}" for entry in files.list("/")]:
        if folder.startswith(NEW):
            for entry in files.list(folder):
                files.unlink(f"{folder}/{entry.name}")
            files.rmdir(folder)
