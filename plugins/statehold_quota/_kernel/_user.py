from __future__ import annotations

from typing import ClassVar

import attrs

from statehold_quota._backend import Group, QuotaError
from statehold_quota._kernel._limits import KernelQuota
from statehold_quota._kernel._quotactl import Kind


@attrs.frozen(kw_only=True)
class UserQuota(KernelQuota):
    """Limits by user quotas of ext4: all files of the group's user on the file system count.

    They do not hold for root, so a group needs a user.
    """

    name: ClassVar[str] = "user"
    title: ClassVar[str] = "user quota"
    kind: ClassVar[Kind] = Kind.USER
    kinds: ClassVar[frozenset[str]] = frozenset({"ext4"})

    def number(self, group: Group) -> int:
        """Return the user of the group, QuotaError for root and for none."""
        if not group.uid:
            raise QuotaError(
                f"{self.title}: {group.path.name} has no user of its own",
                hint="Give the service a Uid other than 0",
            )
        return group.uid
