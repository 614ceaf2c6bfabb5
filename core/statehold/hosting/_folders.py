from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import attrs

from statehold.sdk import HostError


@attrs.frozen
class Folders:
    """The places in a host's data folder."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Self:
        """Return the folders under *root*, made where they are missing, for this user alone.

        Raises:
            HostError: they cannot be made.

        """
        folders = cls(root.absolute())
        try:
            # SQLite takes names in UTF-8 alone.
            str(folders.root).encode()
            for folder in (
                folders.root,
                folders.images,
                folders.plugins,
                folders.rows,
                folders.root / "apps",
            ):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except UnicodeEncodeError as error:
            raise HostError(
                f"the path of the data folder is not UTF-8: {os.fsencode(folders.root)!r}",
                hint="Name another folder; where the name looks right, set the locale to UTF-8",
            ) from error
        except OSError as error:
            raise HostError(
                f"the data folder {root} cannot be made: {error.strerror}",
                hint="Give this user write access there, free space on its disk, or name another folder",
            ) from error
        return folders

    @property
    def images(self) -> Path:
        """Where images are kept by digest."""
        return self.root / "images"

    @property
    def plugins(self) -> Path:
        """Where plugin files are kept by digest."""
        return self.root / "storages"

    @property
    def rows(self) -> Path:
        """Where events, records and views are kept, a file per app, unless the host has another driver."""
        return self.root / "rows"
