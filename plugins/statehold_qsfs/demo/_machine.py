from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_qsfs.protection import Figures, Protection, ProtectionOptions, Restored, ZstorStore, restore
from statehold_zdb.engine import Engine, EngineOptions
from statehold_zstor.objects import Zstor

_SEGMENT: Final = 512 * 1024
_LIMIT: Final = 4 * _SEGMENT


class Machine:
    """A filesystem, its cache on this machine, and what protects it."""

    def __init__(self, folder: Path, zstor: Zstor) -> None:
        self._folder: Final = folder
        self._zstor: Final = zstor
        self._stack: Final = ExitStack()
        self._protection: Protection | None = None
        self._files: FileSystem | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def start(self) -> None:
        """Open the filesystem; what it writes is protected from now on."""
        options = ProtectionOptions(limit=_LIMIT, timeout=60)
        protection = Protection(ZstorStore(self._zstor), self._folder, options)
        self._stack.callback(protection.close)
        engine = self._stack.enter_context(
            Engine(
                self._folder / "data",
                self._folder / "index",
                options=EngineOptions(segment_size=_SEGMENT),
                plugins=[protection.plugin],
            )
        )
        # Threads of the protection use the engine, so they end before it does.
        self._stack.callback(protection.close)
        protection.start(engine)
        barrier = FileSystemOptions(barrier=protection.barrier)
        self._files = self._stack.enter_context(FileSystem(engine, options=barrier))
        self._protection = protection

    def lose(self) -> None:
        """Lose the machine: its disk is empty from now on."""
        self._close()
        shutil.rmtree(self._folder)

    def restore(self) -> Restored:
        """Make what was lost anew, from what the stores have."""
        return restore(ZstorStore(self._zstor), self._folder)

    def write(self, path: str, data: bytes) -> None:
        """Write a file and wait until the stores have it."""
        with self._opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as handle:
            self.files.write(handle, data, 0)
            self.files.fsync(handle)

    def read(self, path: str) -> bytes:
        """Return what is in a file."""
        with self._opened(path, os.O_RDONLY) as handle:
            return self.files.read(handle, self.files.fgetattr(handle).size, 0)

    @property
    def files(self) -> FileSystem:
        """The filesystem."""
        assert self._files is not None  # noqa: S101 - of a machine that was started
        return self._files

    def figures(self) -> Figures:
        """Return how well protected it is."""
        assert self._protection is not None  # noqa: S101 - of a machine that was started
        return self._protection.figures()

    @contextlib.contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        files = self.files
        made = flags & os.O_CREAT
        handle = files.create(path, flags, 0o644) if made else files.open(path, flags)
        try:
            yield handle
        finally:
            files.release(handle)

    def _close(self) -> None:
        self._protection = self._files = None
        self._stack.close()
