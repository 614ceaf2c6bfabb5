from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import attrs

from statehold_quota._backend import Group, QuotaError, told
from statehold_quota._kernel._quotactl import Kind, read, write
from statehold_quota._mounts import mount_of
from statehold_quota._walk import remove_tree, size_of


@attrs.frozen(kw_only=True)
class KernelQuota:
    """What project and user quotas have in common: folders, and a number whose limit the kernel keeps."""

    root: Path
    kind: ClassVar[Kind]
    kinds: ClassVar[frozenset[str]]
    title: ClassVar[str]
    enforced: ClassVar[bool] = True
    smallest: ClassVar[int] = 64 * 1024
    step: ClassVar[int] = 4096

    @abstractmethod
    def number(self, group: Group) -> int:
        """Return the number that the group counts for."""

    def require(self) -> None:
        """Raise QuotaError on another file system, without root, or where the kernel does not answer."""
        mount = mount_of(self.root)
        if mount.kind not in self.kinds:
            raise QuotaError(f"{self.root} lies on {mount.kind}, not on {' or '.join(sorted(self.kinds))}")
        if os.geteuid() != 0:
            raise QuotaError(f"{self.title}: only root may set limits")
        with told(self, "ask the kernel"):
            read(self.root, self.kind, 0)

    def prepare(self) -> None:
        """Do what `require` does: such quotas are switched on when the file system is made or mounted."""
        self.require()

    def fault(self) -> str:
        """Return what the kernel says if it does not answer any more."""
        try:
            self.require()
        except QuotaError as error:
            return error.message
        return ""

    def make_group(self, group: Group) -> None:
        """Make the folder of the group."""
        with told(self, f"make {group.path.name}"):
            group.path.mkdir(mode=0o711, exist_ok=True)

    def make_folder(self, group: Group, name: str) -> Path:
        """Make a folder."""
        folder = group.path / name
        with told(self, f"make {group.path.name}/{name}"):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def hold(self, group: Group) -> None:
        """Do nothing: nothing gets out of the count here."""

    def set_limit(self, group: Group, limit: int) -> None:
        """Set the hard limit, and read it back."""
        with told(self, f"limit {group.path.name}"):
            write(group.path, self.kind, self.number(group), limit)
        if not self.keeps(group, limit):
            raise QuotaError(
                f"{self.title}: {limit:,} bytes were set for {group.path.name}, the kernel keeps "
                f"{self.limit(group)}"
            )

    def limit(self, group: Group) -> int | None:
        """Return the hard limit that the kernel has."""
        with told(self, f"read the limit of {group.path.name}"):
            return read(group.path, self.kind, self.number(group)).limit or None

    def keeps(self, group: Group, limit: int) -> bool:
        """Whether the kernel has just that limit."""
        return self.limit(group) == limit

    def used(self, group: Group) -> int:
        """Return what counts for the number of the group."""
        with told(self, f"read the size of {group.path.name}"):
            return read(group.path, self.kind, self.number(group)).used

    def folder_used(self, group: Group, name: str) -> int:
        """Return what the files of one folder take; walks over them."""
        with told(self, f"read the size of {group.path.name}/{name}"):
            return size_of(group.path / name)

    def remove_folder(self, group: Group, name: str) -> None:
        """Remove a folder with all in it."""
        with told(self, f"remove {group.path.name}/{name}"):
            remove_tree(group.path / name)

    def remove_group(self, group: Group) -> None:
        """Remove the folder of the group, and take the limit away."""
        if group.path.exists():
            with told(self, f"remove {group.path.name}"):
                write(group.path, self.kind, self.number(group), 0)
                remove_tree(group.path)
