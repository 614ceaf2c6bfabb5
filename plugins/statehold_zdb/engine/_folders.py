from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from statehold_zdb.engine._disk import Disk
from statehold_zdb.engine._errors import ZdbError, ZdbHeldError
from statehold_zdb.engine._segment import HEADER_SIZE
from statehold_zdb.engine._settings import Settings, read_settings, write_settings

_LOCK: Final = ".lockfile"
_GONE: Final = ".deleted-"


@attrs.frozen
class Folders:
    """The two folders of an engine, with two more below them for each namespace.

    Attributes:
        data: the folder of the data.
        index: the folder of the index files and settings.
        disk: what makes names survive a loss of power.
        read_only: whether nothing is written.

    """

    data: Path
    index: Path
    disk: Disk
    read_only: bool

    def hold(self) -> Callable[[], None]:
        """Have both alone, and return what lets go of them; ZdbHeldError if another engine has one."""
        with contextlib.ExitStack() as stack:
            for folder in (self.data, self.index):
                stack.callback(self._hold(folder))
            return stack.pop_all().close

    def namespaces(self) -> Iterator[tuple[str, Settings]]:
        """Yield each namespace that is there; what was not made, or not deleted, to its end is removed."""
        for folder in sorted(self.index.iterdir()):
            if folder.name.startswith(_GONE) and not self.read_only:
                self._finish_removing(folder.name)
            elif folder.is_dir() and not folder.name.startswith("."):
                settings = read_settings(folder)
                if settings is not None:  # a copy of another namespace has that one's name in it
                    yield folder.name, msgspec.structs.replace(settings, name=folder.name)
                else:
                    self._drop_unfinished(folder)

    def make(self, settings: Settings) -> None:
        """Make the folders of a namespace, with its settings; ZdbError if they cannot be.

        Or if there are data: those of a namespace whose settings were lost, perhaps with all of the index.
        """
        name = settings.name
        if any(file.stat().st_size > HEADER_SIZE for file in (self.data / name).glob("d*")):
            raise ZdbError(
                f"{self.data / name} has data, and {self.index / name} has no settings of theirs",
                hint="Bring the settings back from a copy, or move the data away",
            )
        try:
            (self.data / name).mkdir(mode=0o700, exist_ok=True)
            (self.index / name).mkdir(mode=0o700, exist_ok=True)
            write_settings(self.index / name, settings)
            for folder in (self.data, self.index):
                self.disk.sync_folder(folder)
        except OSError as error:
            raise ZdbError(f"cannot make the namespace {name!r}: {error}") from error

    def remove(self, name: str) -> Callable[[], None]:
        """Have no namespace of that name any more; what it returns removes what is left of its files.

        Raises:
            ZdbError: the disk refused that; the namespace is as it was.

        """
        mark = f"{_GONE}{secrets.token_hex(8)}-{name}"
        moved: list[Path] = []
        try:
            for folder in (self.index, self.data):
                with contextlib.suppress(FileNotFoundError):
                    (folder / name).rename(folder / mark)
                    moved.append(folder)
            for folder in moved:
                self.disk.sync_folder(folder)
        except OSError as error:
            for folder in moved:
                (folder / mark).rename(folder / name)
            raise ZdbError(
                f"cannot delete the namespace {name!r}: {error}",
                hint="A full disk needs a little room for it",
            ) from error

        def clear() -> None:
            for folder in (self.index, self.data):
                shutil.rmtree(folder / mark, ignore_errors=True)

        return clear

    def _finish_removing(self, mark: str) -> None:
        """Remove what is left of a namespace, also where a crash came before its data had that name."""
        name = mark.removeprefix(_GONE).partition("-")[2]
        if name and not (self.data / mark).exists() and not (self.index / name).exists():
            shutil.rmtree(self.data / name, ignore_errors=True)
        for folder in (self.data, self.index):
            shutil.rmtree(folder / mark, ignore_errors=True)

    def _hold(self, folder: Path) -> Callable[[], None]:
        """Have *folder* alone, and return what lets go of it."""
        read_only = self.read_only
        try:
            if not read_only:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(
                folder / _LOCK, os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT), 0o600
            )
        except FileNotFoundError:
            if read_only and folder.is_dir():
                return lambda: None  # never written to by an engine that could have left a lock
            raise ZdbError(f"there is no folder {folder}") from None
        except OSError as error:
            hint = "Open it to read only" if error.errno in (errno.EROFS, errno.EACCES) else ""
            raise ZdbError(f"cannot use {folder}: {error}", hint=hint) from error
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if read_only else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise ZdbHeldError(
                f"{folder} is held by another engine", hint="Stop that one first, or use another folder"
            ) from error
        return lambda: os.close(fd)

    def _drop_unfinished(self, folder: Path) -> None:
        """Remove what is left of a namespace that was not made to its end."""
        if any((self.data / folder.name).glob("d*")):
            raise ZdbError(
                f"{folder} has no settings, and there are data", hint="Bring them back from a copy"
            )
        if not self.read_only:
            shutil.rmtree(folder, ignore_errors=True)
