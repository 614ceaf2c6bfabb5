from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import attrs

from statehold.processing._errors import ForbiddenError
from statehold.processing._kinds import ByKind, Kind, Thing
from statehold.sdk import Principal
from statehold_vsql.appdef import AccessKind, AccessOperation, AppDef, GrantDef

SYSTEM_ROLE: Final = "sys.System"

#: What may be read of whatever may be read at all: without them nobody could say which record is meant.
IDENTITY: Final = frozenset({"sys.ID", "sys.QName"})
_SYSTEM_FIELDS: Final = frozenset({"sys.ID", "sys.QName", "sys.ParentID", "sys.Container", "sys.IsActive"})
_DEVICE = 2
#: Who has a role that nobody is given: what a token lacks is to be seen from the error.
_HAD_BY: Final = {
    "sys.AuthenticatedUser": "whoever has a token",
    "sys.ProfileOwner": "a token's profile, in that workspace itself",
    "sys.WorkspaceDevice": "a device whose token's profile owns the workspace",
    "sys.WorkspaceOwner": "a user whose token's profile owns the workspace",
}
#: Sets of roles whose rights are kept at hand, per kind of workspace.
_REMEMBERED = 256
#: Principals whose roles are kept at hand, per kind of workspace.
_KEPT = 10_000


@attrs.frozen(eq=False)
class Permission:
    """What may be done with one thing; `fields` are the columns it is permitted for, None for all."""

    fields: frozenset[str] | None = None

    def missing(self, fields: Collection[str]) -> list[str]:
        """Return those of *fields* for which it is not permitted."""
        if self.fields is None:
            return []
        return [name for name in fields if name not in self.fields and name not in IDENTITY]


_ALL: Final = Permission()
_Table = dict[tuple[AccessOperation, str], Permission]


class Rights(ByKind["KindRights"]):
    """The GRANTs and REVOKEs of an app, by the kind of workspace in which somebody asks.

    They are taken in the order of declaration, those of inherited kinds first: a REVOKE takes away what was
    granted before it from all who have the role, by whatever way they have it. Who has a role has those
    that are granted to it.
    """

    def __init__(self, appdef: AppDef) -> None:
        super().__init__(appdef, KindRights)


class KindRights:
    """Who may do what in workspaces of one kind.

    Attributes:
        kind: the kind and what is to be found in it.

    """

    def __init__(self, appdef: AppDef, kind: Kind) -> None:
        self.kind = kind
        grants = [grant for base in kind.lineage for grant in appdef.grants if grant.workspace == base]
        self._roles = [grant for grant in grants if grant.kind is AccessKind.ROLE]
        self._rules = [_Rule(grant, kind) for grant in grants if grant.kind is not AccessKind.ROLE]
        self._tables: dict[frozenset[str], _Table] = {}
        self._expanded: dict[frozenset[str], frozenset[str]] = {}
        self._kept: dict[tuple[int, int, int], tuple[Principal, frozenset[str]]] = {}

    def roles(self, principal: Principal | None, *, workspace: int, owner: int = 0) -> frozenset[str]:
        """Return the roles that *principal* has in a workspace whose owner is the profile *owner*."""
        if principal is None:
            return self.expanded(_NOBODY)
        # By identity: a token that is known means the same principal, request by request.
        place = id(principal), workspace, owner
        kept = self._kept.get(place)
        if kept is None or kept[0] is not principal:
            kept = principal, self._roles_of(principal, workspace, owner)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[place] = kept
        return kept[1]

    def expanded(self, roles: frozenset[str]) -> frozenset[str]:
        """Return *roles* with all that are granted to them."""
        found = self._expanded.get(roles)
        if found is None:
            found = self._expand(roles)
            _remember(self._expanded, roles, found)
        return found

    def permission(self, roles: frozenset[str], operation: AccessOperation, thing: str) -> Permission | None:
        """Return what *roles*, as `roles` returned them, permit; None for nothing."""
        table = self._tables.get(roles)
        if table is None:
            if SYSTEM_ROLE in roles:
                return _ALL
            table = self._evaluate(roles)
            _remember(self._tables, roles, table)
        return table.get((operation, thing))

    def check(
        self,
        roles: frozenset[str],
        operation: AccessOperation,
        thing: str,
        *,
        fields: Collection[str] = (),
    ) -> Permission:
        """Return what *roles* permit, or raise.

        Raises:
            ForbiddenError: *roles* do not permit it, or not for each of *fields*.

        """
        table = self._tables.get(roles)
        if table is not None:
            permission = table.get((operation, thing))
        elif SYSTEM_ROLE in roles:
            return _ALL
        else:
            permission = self.permission(roles, operation, thing)
        if permission is None or (fields and permission.missing(fields)):
            raise self._forbidden(permission, operation, thing, fields)
        return permission

    def permitting(
        self, operation: AccessOperation, thing: str, *, fields: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Return the roles of which one alone would permit it, by name."""
        found = []
        for role in sorted(self.kind.roles - {SYSTEM_ROLE}):
            permission = self.permission(self.expanded(frozenset({role})), operation, thing)
            if permission is not None and not permission.missing(fields):
                found.append(role)
        return tuple(found)

    def permitted(self, roles: Iterable[str]) -> Mapping[tuple[AccessOperation, str], Permission]:
        """Return all that *roles* permit: by operation and qualified name."""
        expanded = self.expanded(frozenset(roles))
        if SYSTEM_ROLE in expanded:
            return {
                (operation, thing.name): _ALL
                for thing in self.kind.things.values()
                for operation in thing.kind.operations
            }
        self.permission(expanded, AccessOperation.EXECUTE, "")
        return self._tables.get(expanded, {})

    def _roles_of(self, principal: Principal, workspace: int, owner: int) -> frozenset[str]:
        roles = {"sys.Everyone", "sys.AuthenticatedUser"}
        if principal.profile:
            if principal.profile == workspace:
                roles.add("sys.ProfileOwner")
            if principal.profile == owner:
                roles.add("sys.WorkspaceDevice" if principal.kind == _DEVICE else "sys.WorkspaceOwner")
        given = principal.roles
        if given:
            roles |= given.get(0, _NONE) | given.get(workspace, _NONE)
        return self.expanded(frozenset(roles))

    def _expand(self, roles: frozenset[str]) -> frozenset[str]:
        edges: dict[str, set[str]] = {}
        for grant in self._roles:
            granted = edges.setdefault(str(grant.role), set())
            (granted.discard if grant.revoke else granted.add)(str(grant.target))
        found, new = set(roles), list(roles)
        while new:
            more = edges.get(new.pop(), set()) - found
            found |= more
            new += more
        return frozenset(found)

    def _evaluate(self, roles: frozenset[str]) -> _Table:
        table: _Table = {}
        for rule in self._rules:
            if rule.role in roles:
                rule.apply(table)
        return table

    def _forbidden(
        self,
        permission: Permission | None,
        operation: AccessOperation,
        thing: str,
        fields: Collection[str],
    ) -> ForbiddenError:
        missing = permission.missing(fields) if permission is not None else []
        roles = self.permitting(operation, thing, fields=fields)
        what = f"{operation} on {thing}"
        if missing:
            what = f"{operation}({', '.join(missing)}) on {thing}"
        return ForbiddenError(
            f"{what} is not permitted in workspaces of kind {self.kind.name}",
            qname=thing,
            roles=roles,
            fields=missing,
            hint=f"It takes one of these roles: {', '.join(map(_role, roles))}"
            if roles
            else "No role there permits it",
        )


class _Rule:
    """One GRANT or REVOKE in one kind of workspace."""

    def __init__(self, grant: GrantDef, kind: Kind) -> None:
        self.role = str(grant.role)
        self._revoke = grant.revoke
        self._rights = [
            ((right.operation, thing.name), thing, frozenset(right.columns))
            for thing in kind.select(grant.workspace, grant.kind, grant.target, grant.tag)
            for right in grant.rights
        ]

    def apply(self, table: _Table) -> None:
        for place, thing, columns in self._rights:
            before = table.get(place)
            after = _less(before, thing, columns) if self._revoke else _more(before, columns)
            if after is None:
                table.pop(place, None)
            else:
                table[place] = after


def _role(name: str) -> str:
    return f"{name} ({_HAD_BY[name]})" if name in _HAD_BY else name


def _more(before: Permission | None, columns: frozenset[str]) -> Permission:
    if not columns or (before is not None and before.fields is None):
        return _ALL
    return Permission(columns | (before.fields or _NONE) if before is not None else columns)


def _less(before: Permission | None, thing: Thing, columns: frozenset[str]) -> Permission | None:
    if before is None or not columns:
        return None
    left = (thing.fields | _SYSTEM_FIELDS if before.fields is None else before.fields) - columns
    return Permission(left) if left else None


def _remember(cache: dict, key: frozenset[str], value: object) -> None:  # type: ignore[type-arg]
    if len(cache) >= _REMEMBERED:
        cache.clear()
    cache[key] = value


_NONE: Final[frozenset[str]] = frozenset()
_NOBODY: Final = frozenset({"sys.Everyone", "sys.Anonymous"})
