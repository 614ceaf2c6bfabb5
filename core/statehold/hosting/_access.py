from __future__ import annotations

from collections.abc import Callable

import attrs

from statehold.hosting._matrix import Permission, StorageAccess
from statehold.hosting._narrowing import Scopes, listed
from statehold.sdk import Operation, Scope, ScopeError, StateholdError, StorageError
from statehold_vsql import ExtensionKind
from statehold_vsql.appdef import ExtensionDef, StorageDef

Refusal = Callable[[Operation], StateholdError]

_SINGULAR = {
    Scope.COMMANDS: "COMMAND",
    Scope.QUERIES: "QUERY",
    Scope.PROJECTORS: "PROJECTOR",
    Scope.JOBS: "JOB",
}


@attrs.frozen(kw_only=True)
class Access:
    """Who may do what with one storage: as declared, and as the operator narrowed it."""

    definition: StorageDef
    declared: Scopes
    permitted: Scopes
    provided: bool = True

    @property
    def storage(self) -> str:
        """The storage's qualified name."""
        return str(self.definition.name)

    def permits(self, operation: Operation, scope: Scope) -> bool:
        """Return whether *operation* may be used in *scope*."""
        return scope in self.permitted.get(operation, ())

    def operations(self, scope: Scope) -> frozenset[Operation]:
        """Return what may be used in *scope*; nothing of a storage that has no provider."""
        return frozenset(op for op in Operation if self.provided and self.permits(op, scope))

    def listed(self) -> StorageAccess:
        """Return the permissions as a matrix shows them."""
        return StorageAccess(
            storage=self.storage,
            engine=self.definition.engine,
            provider=self.definition.provider,
            provided=self.provided,
            permissions={(op, scope): self._permission(op, scope) for op in Operation for scope in Scope},
        )

    def _permission(self, operation: Operation, scope: Scope) -> Permission:
        if self.permits(operation, scope):
            return Permission.DECLARED
        return Permission.NARROWED if scope in self.declared.get(operation, ()) else Permission.DENIED

    def refusal(
        self, who: str, scope: Scope, extension: ExtensionDef | None = None, *, entity: str | None = None
    ) -> Refusal:
        """Return what makes the error for an operation that *who* may not use in *scope*."""
        what = self.storage if entity is None else f"{self.storage}({entity})"

        def refuse(operation: Operation) -> StateholdError:
            if not self.provided:
                return StorageError(
                    f"{who}: {self.storage} is not provided by this host",
                    hint="Its declaration is known here, its implementation is not: use another storage",
                )
            why, hint = self._why(operation, scope, extension, what)
            return ScopeError(
                f"{who} may not {operation} {what} in {scope}: {why}",
                storage=self.storage,
                operation=operation,
                scope=scope,
                who=who,
                hint=hint,
            )

        return refuse

    def _why(
        self, operation: Operation, scope: Scope, extension: ExtensionDef | None, what: str
    ) -> tuple[str, str]:
        where = f"declared at {self.definition.position}"
        declared = self.declared.get(operation, frozenset())
        # What is declared in `sys` is not the application's to change: it is used where it may be.
        fixed = self.definition.name.package == "sys"
        if not declared:
            add = f"Add `{operation} SCOPE({scope})` to the declaration"
            return f"{where} without {operation}", "Use an operation that it has" if fixed else add
        if scope not in declared:
            add = f"Add {scope} to the scopes of {operation} in the declaration"
            return f"{where} with {operation} in {listed(declared)}", _elsewhere(declared) if fixed else add
        if not self.permits(operation, scope):
            return (
                f"{where}, and narrowed by the operator",
                f"Ask the operator: descriptor.json, Storages, {self.storage!r}, scopes",
            )
        clause = "INTENTS" if operation.is_intent else "STATE"
        assert extension is not None  # noqa: S101 - without one, only scopes refuse
        return (
            f"{extension.kind} {extension.name} ({extension.position}) does not name it in {clause}",
            f"Add {clause}({what}) to the {extension.kind}",
        )


def check_use(extension: ExtensionDef, scope: Scope, access: Access, *, sync_projector: bool) -> list[str]:
    """Return what is wrong with how *extension* declares a storage in STATE and INTENTS.

    For a storage whose operations come from its provider this is the first time that it can be checked.
    """
    if not access.provided:
        return []
    problems = []
    for clause, named in _named(extension, access).items():
        possible = [op for op in Operation if op.is_intent is (clause == "INTENTS")]
        if named and not any(scope in access.declared.get(op, ()) for op in possible):
            problems.append(
                f"{extension.position}: {extension.kind} {extension.name} names {access.storage} "
                f"in {clause}, but none of {', '.join(possible)} is permitted in {scope}. "
                f"Permit one in the declaration, or take it out of {clause}"
            )
    if extension.kind is ExtensionKind.PROJECTOR and extension.sync and not sync_projector:
        problems.append(
            f"{extension.position}: SYNC PROJECTOR {extension.name} uses {access.storage}, whose provider "
            f"{access.definition.provider} does not serve sync projectors. Make the projector asynchronous, "
            "or use another storage"
        )
    return problems


def _named(extension: ExtensionDef, access: Access) -> dict[str, bool]:
    name = access.definition.name
    return {
        "STATE": any(use.storage == name for use in extension.state),
        "INTENTS": any(use.storage == name for use in extension.intents),
    }


def _elsewhere(scopes: frozenset[Scope]) -> str:
    *others, last = (_SINGULAR[scope] for scope in Scope if scope in scopes)
    return f"Use it in a {', '.join(others)}{' or ' if others else ''}{last}"
