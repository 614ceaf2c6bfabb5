from __future__ import annotations

from collections.abc import Iterator

import attrs

from statehold_vsql.appdef import AccessKind, AccessOperation, AppDef, GrantDef, QName
from statehold_vsql.evolution._change import Broken, Changes, Subject
from statehold_vsql.evolution._pairs import pairs


def compare_access(changes: Changes, old: AppDef, new: AppDef) -> None:
    """Note what changed about roles, and about what is granted to them."""
    for subject, before, after in pairs(changes, "role", old.roles, new.roles, removed=Broken.CLIENTS):
        if before.published and not after.published:
            changes.add("role-published", subject, "is not PUBLISHED any more", Broken.CLIENTS)
        elif after.published and not before.published:
            changes.add("role-published", subject, "is PUBLISHED")
    rights = list(_rights(new))
    for right in _rights(old):
        target = right.grant.target
        home = right.grant.workspace if target is None else _home(new, target)
        # Of a role or a target that is gone one has heard.
        is_there = right.role in new.roles and home is not None
        if is_there and not right.revoke and not any(other.covers(right, home) for other in rights):
            subject = Subject(name=f"role {right.role}", old=right.grant.position)
            changes.add("grant-removed", subject, f"{right} is not granted any more", Broken.CLIENTS)
    for right in rights:
        if right.revoke and not any(other.revoke and other.same(right) for other in _rights(old)):
            subject = Subject(name=f"role {right.role}", new=right.grant.position)
            changes.add("grant-revoked", subject, f"{right} is revoked", Broken.CLIENTS)


@attrs.frozen
class _Right:
    grant: GrantDef
    operation: AccessOperation | None
    columns: frozenset[str]

    @property
    def role(self) -> QName:
        return self.grant.role

    @property
    def revoke(self) -> bool:
        return self.grant.revoke

    def same(self, other: _Right) -> bool:
        return self._place == other._place and self.columns == other.columns

    def covers(self, other: _Right, declared_in: QName | None) -> bool:
        """Tell whether who has this has the *other* one: of the same thing, or of all its kind.

        All of a kind are those of a workspace itself, and *declared_in* is that of the other's target.
        """
        if self.revoke or (self.columns and not (other.columns and other.columns <= self.columns)):
            return False
        if self._place == other._place:
            return True
        everything = self.grant.target is None and self.grant.tag is None
        return everything and self._kind == other._kind and self.grant.workspace == declared_in

    @property
    def _kind(self) -> tuple[object, ...]:
        grant = self.grant
        return grant.workspace, grant.role, grant.kind, self.operation

    @property
    def _place(self) -> tuple[object, ...]:
        return *self._kind, self.grant.target, self.grant.tag

    def __str__(self) -> str:
        grant = self.grant
        if grant.kind is AccessKind.ROLE:
            return f"what role {grant.target} may"
        columns = f" ({', '.join(sorted(self.columns))})" if self.columns else ""
        what = grant.target or (
            f"each {grant.kind} with tag {grant.tag}" if grant.tag else f"each {grant.kind}"
        )
        return f"{self.operation}{columns} on {what}"


def _rights(appdef: AppDef) -> Iterator[_Right]:
    for grant in appdef.grants:
        if grant.kind is AccessKind.ROLE:
            yield _Right(grant, None, frozenset())
        for right in grant.rights:
            yield _Right(grant, right.operation, frozenset(right.columns))


def _home(appdef: AppDef, target: QName) -> QName | None:
    """Return the workspace that *target* is declared in, or itself where that is none; None if it is gone."""
    things = (appdef.extensions, appdef.tables, appdef.views, appdef.roles)
    found = next((named[target] for named in things if target in named), None)
    return None if found is None else found.workspace or target
