from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_qsfs.mount import opened

#: What the folders begin with where files are written before they have their names.
NEW: Final = "/.new-"


@attrs.frozen(eq=False)
class Store:
    """A filesystem that is open, for all partitions and versions of an app that use it."""

    files: FileSystem
    close: Callable[[], None]
    _written: set[str] = attrs.field(factory=set, init=False)
    _turn: threading.Condition = attrs.field(factory=threading.Condition, init=False)

    @classmethod
    def opened(cls, folder: Path, options: FileSystemOptions) -> Store:
        """Open the filesystem of *folder*."""
        with ExitStack() as stack:
            files = stack.enter_context(opened(folder, options=options))
            _sweep(files)
            return cls(files, stack.pop_all().close)

    @contextmanager
    def writing(self, paths: Collection[str]) -> Generator[None]:
        """Have nobody else write these files: what they were comes back where this fails."""
        with self._turn:
            while not self._written.isdisjoint(paths):
                self._turn.wait()
            self._written.update(paths)
        try:
            yield
        finally:
            with self._turn:
                self._written.difference_update(paths)
                self._turn.notify_all()


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
