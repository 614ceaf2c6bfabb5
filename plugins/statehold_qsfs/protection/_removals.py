from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import attrs

from statehold.sdk import replace_file, sync_folder
from statehold_qsfs.protection._state import State


@attrs.define(eq=False)
class Removals:
    """Which segments the engine has removed on purpose, so that they are not taken for lost."""

    path: Path
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def note(self, namespace: str, numbers: Sequence[int]) -> None:
        """Note that segments go; on disk when it returns."""
        is_new = not self.path.exists()
        with self._lock, self.path.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{number}/{namespace}\n" for number in numbers)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self.path.parent)

    def read(self) -> set[tuple[str, int]]:
        """Return namespace and number of those that went."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="surrogateescape").splitlines(keepends=True)
        except FileNotFoundError:
            return set()
        return {
            (line[:-1].partition("/")[2], int(line.partition("/")[0]))
            for line in lines
            if line.endswith("\n") and line.partition("/")[0].isdecimal()
        }

    def trim(self, state: State) -> None:
        """Forget those of which the store knows by now."""
        with self._lock:
            left = [
                (name, number)
                for name, number in sorted(self.read())
                if name in state.areas and number in state.areas[name].parts
            ]
            lines = "".join(f"{number}/{name}\n" for name, number in left)
            replace_file(self.path, lines.encode("utf-8", errors="surrogateescape"))
