from __future__ import annotations

from typing import ClassVar, Final

import attrs

from statehold_quota._backend import Group, told
from statehold_quota._kernel._limits import KernelQuota
from statehold_quota._kernel._project_ids import project_of, set_project
from statehold_quota._kernel._quotactl import Kind, read

_FIRST: Final = 1 << 20
_COUNT: Final = 1 << 30


@attrs.frozen(kw_only=True)
class ProjectQuota(KernelQuota):
    """Limits by project quotas of ext4 and xfs: what is made in the folder of a group counts for its project.

    On ext4 they do not hold for root. Who owns a folder may take it out of its project, except within a user
    namespace of its own.
    """

    name: ClassVar[str] = "project"
    title: ClassVar[str] = "project quota"
    kind: ClassVar[Kind] = Kind.PROJECT
    kinds: ClassVar[frozenset[str]] = frozenset({"ext4", "xfs"})

    def make_group(self, group: Group) -> None:
        """Make the folder of the group, with a project that nobody else has."""
        super().make_group(group)
        with told(self, f"find a project for {group.path.name}"):
            if project_of(group.path) == 0:
                set_project(group.path, self._free_number(group))

    def number(self, group: Group) -> int:
        """Return the number of the group's project."""
        return project_of(group.path)

    def _free_number(self, group: Group) -> int:
        number = _FIRST + group.path.stat().st_ino % _COUNT
        while True:
            record = read(group.path, self.kind, number)
            if not record.limit and not record.used:
                return number
            number += 1
