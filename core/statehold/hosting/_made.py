from __future__ import annotations

import shutil
from pathlib import Path


class MadeFolders:
    """The data folders that were made for a version, to be removed if nobody keeps the version."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def make(self, folder: Path) -> None:
        """Make *folder*, and those above it, for this user alone, where they are missing.

        Raises:
            OSError: it cannot be made.

        """
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir(mode=0o700, exist_ok=True)
            self._made.append(one)

    def keep(self) -> None:
        """Let the folders stay."""
        self._made.clear()

    def remove(self) -> None:
        """Remove the folders that were made, with what storages have put there since."""
        for folder in reversed(self._made):
            shutil.rmtree(folder, ignore_errors=True)
        self._made.clear()
