from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec

from statehold.events import Reader, WorkspaceError
from statehold.processing._errors import ForbiddenError, LimitExceededError, UnknownError
from statehold.processing._limits import Buckets
from statehold.processing._meter import Meter
from statehold.processing._parts import Parts
from statehold.processing._request import Request
from statehold.processing._rights import SYSTEM_ROLE, KindRights, Permission
from statehold.sdk import Clock
from statehold_vsql.appdef import AccessOperation

_DESCRIPTOR: Final = "sys.WorkspaceDescriptor"
#: Workspaces whose owners are kept in mind.
_KEPT: Final = 10_000


class Entry(msgspec.Struct, frozen=True, gc=False):
    """Who has come in: with which roles, into a workspace of which kind."""

    request: Request
    kind: str
    rights: KindRights
    roles: frozenset[str]

    @property
    def is_system(self) -> bool:
        """Whether no check applies."""
        return SYSTEM_ROLE in self.roles


class Gate:
    """Lets requests into the workspaces of one partition, as GRANTs and LIMITs permit."""

    def __init__(self, app: str, *, buckets: int, clock: Clock, meter: Meter) -> None:
        self._app = app
        self._buckets = Buckets(buckets)
        self._clock = clock
        self._meter = meter
        self._owners: dict[int, int] = {}

    def enter(self, parts: Parts, reader: Reader, request: Request) -> Entry:
        """Return with which roles a request comes into its workspace.

        Raises:
            UnknownError: there is no such workspace.

        """
        try:
            kind = reader.kind(request.workspace)
        except WorkspaceError as error:
            raise UnknownError(str(error)) from error
        rights = parts.rights.of(kind)
        principal = request.principal
        owner = 0
        if principal is not None and principal.profile:
            owner = self._owner(parts, reader, request.workspace)
        roles = rights.roles(principal, workspace=request.workspace, owner=owner)
        return Entry(request, kind, rights, roles)

    def check(
        self,
        parts: Parts,
        entry: Entry,
        operation: AccessOperation,
        thing: str,
        *,
        fields: Collection[str] = (),
        counts: bool = True,
    ) -> Permission:
        """Return what may be done with *thing*, and count it for the limits.

        Args:
            parts: the version.
            entry: who asks.
            operation: what for.
            thing: the qualified name of a command, query, view or table.
            fields: the fields it is wanted for.
            counts: whether the limits count it.

        Raises:
            UnknownError: workspaces of this kind have no such thing.
            ForbiddenError: it is not permitted.
            LimitExceededError: it was done too often.

        """
        if thing not in parts.schemas.members.get(entry.kind, ()):
            raise UnknownError(
                f"workspace {entry.request.workspace} is a {entry.kind}, which has no {thing}", qname=thing
            )
        try:
            permission = entry.rights.check(entry.roles, operation, thing, fields=fields)
        except ForbiddenError:
            self._meter.denied(self._app, thing, "rights")
            raise
        if counts and SYSTEM_ROLE not in entry.roles:
            try:
                self._take(parts, entry, operation, thing)
            except LimitExceededError:
                self._meter.denied(self._app, thing, "limit")
                raise
        return permission

    def forget_owner(self, workspace: int) -> None:
        """Look up the owner of a workspace anew: its descriptor has changed."""
        self._owners.pop(workspace, None)

    def _take(self, parts: Parts, entry: Entry, operation: AccessOperation, thing: str) -> None:
        parts.limits.of(entry.kind).take(
            self._buckets,
            operation,
            thing,
            workspace=entry.request.workspace,
            principal=entry.request.principal,
            ip=entry.request.ip,
            now=self._clock.monotonic(),
        )

    def _owner(self, parts: Parts, reader: Reader, workspace: int) -> int:
        owner = self._owners.get(workspace)
        if owner is None:
            descriptor: Any = reader.singleton(workspace, parts.schemas[_DESCRIPTOR])
            owner = getattr(descriptor, "OwnerWSID", None) or 0
            if len(self._owners) >= _KEPT:
                self._owners.clear()
            self._owners[workspace] = owner
        return owner
