from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

import attrs

from statehold.sdk import StorageError, sync_folder
from statehold_aos._service_storage._names import folder_name
from statehold_aos.launcher._image import ServiceConfig, read_config

_NEW: Final = ".new-"
#: Folders in folders that an image may have.
_DEEPEST: Final = 100
_DEPTH: Final = 3  # workspace, service, version


@attrs.frozen
class Staged:
    """A copy of an image that no service has yet.

    Attributes:
        folder: where it is, until it is put in its place.
        config: what its `config.json` says.

    """

    folder: Path
    config: ServiceConfig


@attrs.frozen
class Images:
    """The images of the installed services: each version in a folder of its own, which is never changed."""

    root: Path

    def stage(self, image: Path) -> Staged:
        """Copy an image, durably, so that what is installed is what was checked.

        Raises:
            StorageError: it is no image of a service, or has what no image may have.

        """
        folder: Path | None = None
        try:
            self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.root))
            _copy(image, folder)
            return Staged(folder, read_config(folder))
        except OSError as error:
            self._drop(folder)
            raise StorageError(f"the image {image} cannot be copied: {error}") from error
        except BaseException:
            self._drop(folder)
            raise

    def put(self, staged: Staged, workspace: int, service: str) -> Path:
        """Give a copy its place, and return it."""
        above = self.root / str(workspace) / folder_name(service)
        above.mkdir(mode=0o711, parents=True, exist_ok=True)
        number = 0
        while (place := above / f"{staged.config.version}-{number}").exists():
            number += 1
        staged.folder.rename(place)
        sync_folder(above)
        sync_folder(above.parent)
        sync_folder(self.root)
        return place

    def place(self, path: str) -> Path:
        """Return where the image is that had been put at *path*, also if all was moved since."""
        parts = [part for part in Path(path).parts if part not in ("/", "..")][-_DEPTH:]
        # A path that was never ours, such as a Service Manager's, must not lead to what all are in.
        return self.root.joinpath(*parts) if len(parts) == _DEPTH else self.root / "0" / "none" / "none"

    def drop(self, staged: Staged) -> None:
        """Remove a copy that nobody has taken."""
        self._drop(staged.folder)

    def remove(self, place: Path) -> None:
        """Remove the image of a version; one that is gone is no error."""
        self._drop(place)
        for above in (place.parent, place.parent.parent):
            try:
                above.rmdir()
            except OSError:  # others are in it
                return

    def clean(self, named: Collection[Path], *, staged: bool = False) -> list[str]:
        """Remove what no service has, and with *staged* what was not put in its place; say what that was."""
        removed = []
        for folder in (*self.root.glob("[0-9]*/*/*"), *(self.root.glob(f"{_NEW}*") if staged else ())):
            if folder not in named:
                removed.append(str(folder.relative_to(self.root)))
                self.remove(folder)
        return removed

    @staticmethod
    def _drop(folder: Path | None) -> None:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path, depth: int = 0) -> None:
    """Copy folders, files and links, which everybody may read then, and nobody may change."""
    if depth > _DEEPEST:
        raise OSError(errno.ELOOP, f"has folders in each other more than {_DEEPEST} deep", source)
    with os.scandir(source) as entries:
        for entry in entries:
            place = target / entry.name
            found = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                place.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                place.mkdir()
                _copy(Path(entry.path), place, depth + 1)
            elif stat.S_ISREG(found.st_mode):
                with Path(entry.path).open("rb") as read, place.open("xb") as write:
                    shutil.copyfileobj(read, write)
                    os.fchmod(write.fileno(), 0o755 if found.st_mode & 0o111 else 0o644)
                    write.flush()
                    os.fsync(write.fileno())
            else:
                raise OSError(22, "is no file, folder or link", entry.path)
    target.chmod(0o755)
    sync_folder(target)
