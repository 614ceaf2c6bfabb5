from __future__ import annotations

import threading

import attrs

from statehold_qsfs.mount._inodes import Inodes


@attrs.define(eq=False)
class Known:
    """The files that the kernel knows, and how often it has asked for each: they are held meanwhile."""

    _files: Inodes
    _lookups: dict[int, int] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def add(self, ino: int) -> None:
        """Count one that the kernel is told of."""
        with self._lock:
            lookups = self._lookups.get(ino)
            if lookups is None:
                self._files.hold(ino)
                lookups = 0
            self._lookups[ino] = lookups + 1

    def forget(self, ino: int, lookups: int) -> None:
        """Count those that the kernel forgets."""
        with self._lock:
            left = self._lookups.get(ino, 0) - lookups
            if left > 0:
                self._lookups[ino] = left
            elif self._lookups.pop(ino, None) is not None:
                self._files.drop(ino)

    def forget_all(self) -> None:
        """Let go of all: there is no kernel any more that would ask."""
        with self._lock:
            while self._lookups:
                self._files.drop(self._lookups.popitem()[0])
