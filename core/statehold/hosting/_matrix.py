from __future__ import annotations

from enum import StrEnum

import attrs

from statehold_vsql import Operation, Scope, StorageEngine


class Permission(StrEnum):
    """Whether an operation may be used in a scope, and who decided it."""

    DECLARED = "declared"
    NARROWED = "narrowed by operator"
    DENIED = "denied"


@attrs.frozen(kw_only=True)
class StorageAccess:
    """What may be done with one storage: a permission for every operation and scope.

    `provided` is False for a storage that this host knows but has no provider for.
    """

    storage: str
    engine: StorageEngine
    provider: str
    provided: bool
    permissions: dict[tuple[Operation, Scope], Permission]

    def permission(self, operation: Operation, scope: Scope) -> Permission:
        """Return what holds for *operation* in *scope*."""
        return self.permissions[operation, scope]


@attrs.frozen(kw_only=True)
class Matrix:
    """Storage x operation x scope of one app version, storages in the order of their names."""

    app: str
    version: str
    storages: tuple[StorageAccess, ...]
