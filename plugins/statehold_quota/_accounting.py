from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import attrs

from statehold_quota._backend import Group, QuotaError
from statehold_quota._walk import remove_tree, size_of


@attrs.frozen(kw_only=True)
class Accounting:
    """No limits, but sizes: files are counted, and nothing is refused.

    Works on any file system, and without being root.
    """

    root: Path
    name: ClassVar[str] = "accounting"
    title: ClassVar[str] = "accounting (advisory: nothing is refused)"
    enforced: ClassVar[bool] = False
    smallest: ClassVar[int] = 1
    step: ClassVar[int] = 1

    def require(self) -> None:
        """Do nothing: this works everywhere."""

    def prepare(self) -> None:
        """Do nothing: this needs nothing."""

    def fault(self) -> str:
        """Return "": what is not enforced cannot fail."""
        return ""

    def make_group(self, group: Group) -> None:
        """Make the folder of the group."""
        _make(group.path, 0o711)

    def make_folder(self, group: Group, name: str) -> Path:
        """Make a folder."""
        return _make(group.path / name, 0o700)

    def hold(self, group: Group) -> None:
        """Do nothing: nothing gets out of the count here."""

    def set_limit(self, group: Group, limit: int) -> None:
        """Do nothing: who asks for the limit knows it."""

    def limit(self, group: Group) -> int | None:  # noqa: ARG002
        """Return None: no limit is kept."""
        return None

    def keeps(self, group: Group, limit: int) -> bool:  # noqa: ARG002
        """Whether the limit is kept as well as can be here: always."""
        return True

    def used(self, group: Group) -> int:
        """Return what the files of the group take; walks over them."""
        return sum(self.folder_used(group, folder.name) for folder in group.path.iterdir())

    def folder_used(self, group: Group, name: str) -> int:
        """Return what the files of one folder take; walks over them."""
        try:
            return size_of(group.path / name)
        except OSError as error:
            raise QuotaError(f"cannot read the size of {group.path / name}: {error.strerror}") from error

    def remove_folder(self, group: Group, name: str) -> None:
        """Remove a folder with all in it."""
        _remove(group.path / name)

    def remove_group(self, group: Group) -> None:
        """Remove the folder of the group with all in it."""
        _remove(group.path)


def _make(folder: Path, mode: int) -> Path:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise QuotaError(f"cannot make {folder}: {error.strerror}") from error
    return folder


def _remove(folder: Path) -> None:
    try:
        remove_tree(folder)
    except OSError as error:
        raise QuotaError(f"cannot remove {folder}: {error.strerror}: {error.filename}") from error
