from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from statehold_qsfs.files import FileSystem
from statehold_qsfs.protection import Figures, Restored
from statehold_qsfs.stack import Stack, StackConfig, restore_stack


class Machine:
    """A machine with a filesystem, of which it keeps 2 MiB; each fsync waits for the stores."""

    def __init__(self, folder: Path, zstor: Mapping[str, Any]) -> None:
        self._config: Final = StackConfig.of(
            {
                "zstor": zstor,
                "local": {"folder": folder.name, "limit": "2 MiB", "segment": "512 KiB"},
                "durability": {"fsync": "quorum"},
            },
            folder=folder.parent,
        )
        self._stack: Stack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def start(self) -> None:
        """Open the filesystem."""
        self._stack = Stack(self._config)

    def lose(self) -> None:
        """Lose the machine: its disk is empty from now on."""
        self._stop()
        shutil.rmtree(self._config.local.folder)

    def restore(self) -> Restored:
        """Make what was lost anew, from what the stores have."""
        return restore_stack(self._config)

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
        return self._running.files

    def figures(self) -> Figures:
        """Return how well protected it is."""
        return self._running.figures()

    @property
    def _running(self) -> Stack:
        assert self._stack is not None  # noqa: S101 - of a machine that was started
        return self._stack

    @contextlib.contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        files = self.files
        made = flags & os.O_CREAT
        handle = files.create(path, flags, 0o644) if made else files.open(path, flags)
        try:
            yield handle
        finally:
            files.release(handle)

    def _stop(self) -> None:
        """Stop, and wait for nothing: what was synced is in the stores."""
        stack, self._stack = self._stack, None
        if stack is not None:
            now = threading.Event()
            now.set()
            stack.stop(give_up=now)
