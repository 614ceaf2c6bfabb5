from __future__ import annotations

from collections.abc import Mapping

from statehold_vsql._words import ExtensionKind, Operation, Scope
from statehold_vsql.appdef import QName, StorageDef, StorageUse
from statehold_vsql.semantics._common import one_of
from statehold_vsql.semantics._model import Kind, Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.semantics._storages import StorageInfo
from statehold_vsql.syntax import nodes as n

_READING = (Operation.GET, Operation.GETBATCH, Operation.READ)
_CHANGING = (Operation.INSERT, Operation.UPDATE)


class StorageUses:
    """Checks STATE and INTENTS of extensions against the declarations of the storages."""

    def __init__(self, names: Names, report: Report) -> None:
        self._names = names
        self._report = report

    def check(
        self, symbol: Symbol, kind: ExtensionKind, clause: str, uses: tuple[n.StorageUse, ...]
    ) -> tuple[StorageUse, ...]:
        """Return the entries of one clause, resolved; `clause` is STATE or INTENTS."""
        return tuple(use for node in uses if (use := self._use(symbol, kind, clause, node)) is not None)

    def _use(self, symbol: Symbol, kind: ExtensionKind, clause: str, use: n.StorageUse) -> StorageUse | None:
        storage = self._names.find(use.storage, symbol.place, Kind.STORAGE)
        if storage is None:
            return None
        entities = self._entities(symbol, storage, use)
        if not storage.is_broken:
            self._check_scope(symbol, kind, clause, use, storage)
        return StorageUse(
            storage=storage.qname,
            entities=entities,
            position=symbol.place.position(use.storage.span),
        )

    def _entities(self, symbol: Symbol, storage: Symbol, use: n.StorageUse) -> tuple[QName, ...]:
        node: n.Storage = storage.node
        if not node.entity_record and not node.entity_view:
            if use.entities and not node.is_partial:
                self._report.warning(
                    symbol.place,
                    use.entities[0].span,
                    "entity-ignored",
                    f"{use.entities[0].text} means nothing here: storage {storage.qname} has no entities",
                    f"write {use.storage.text} alone",
                )
            return ()
        if not use.entities:
            what = one_of(["a table"] * node.entity_record + ["a view"] * node.entity_view)
            self._report.error(
                symbol.place,
                use.storage.span,
                "storage-needs-entity",
                f"storage {storage.qname} is used with {what}, but none is named",
                f"write {use.storage.text}(Name, ...)",
            )
        found: list[QName] = []
        for ref in use.entities:
            for kind in [Kind.TABLE] * node.entity_record + [Kind.VIEW] * node.entity_view:
                entity = self._names.find(ref, symbol.place, kind)
                if entity is None:
                    continue
                found.append(entity.qname)
                if kind is Kind.TABLE and entity.node.abstract:
                    self._report.error(
                        symbol.place,
                        ref.span,
                        "abstract-entity",
                        f"table {entity.qname} is abstract and has no records to use",
                        f"name the tables that inherit from {entity.name}",
                    )
        return tuple(found)

    def _check_scope(
        self,
        symbol: Symbol,
        kind: ExtensionKind,
        clause: str,
        use: n.StorageUse,
        storage: Symbol,
    ) -> None:
        info: StorageInfo = storage.info
        scope, operations = kind.scope, info.definition.operations
        wanted = _READING if clause == "STATE" else _CHANGING
        sync = isinstance(symbol.node, n.Projector) and symbol.node.sync
        who = f"{'SYNC ' if sync else ''}{kind} {symbol.name}"
        if scope is not None and operations is not None:
            relevant = {word: operations[word] for word in wanted if word in operations}
            if not any(scope in scopes for scopes in relevant.values()):
                if not storage.node.is_partial:
                    self._report.error(
                        symbol.place,
                        use.storage.span,
                        f"scope-{clause.lower()}",
                        f"{who} cannot use {storage.qname} in {clause}: "
                        f"{_permitted(info.definition, relevant, wanted, scope)}",
                        _hint(storage, relevant, wanted, scope),
                    )
                return
        if sync and info.contract is not None and not info.contract.sync_projector:
            self._report.error(
                symbol.place,
                use.storage.span,
                "scope-sync",
                f"{who} cannot use {storage.qname} in {clause}: its provider serves projectors only outside "
                f"of the event's transaction (declared at {storage.position})",
                "remove SYNC, or leave this to a projector that is not SYNC",
            )


def _permitted(
    definition: StorageDef,
    relevant: Mapping[Operation, frozenset[Scope]],
    wanted: tuple[Operation, ...],
    scope: Scope,
) -> str:
    operations = definition.operations or {}
    declared = ", ".join(
        f"{word} SCOPE({', '.join(s for s in Scope if s in operations[word])})"
        for word in Operation
        if word in operations
    )
    where = f"declared at {definition.position}: {declared or 'no operations'}"
    if not relevant:
        return f"it has no {one_of(list(wanted))} ({where})"
    return f"{one_of(list(relevant))} is not for {scope} ({where})"


def _hint(
    storage: Symbol,
    relevant: Mapping[Operation, frozenset[Scope]],
    wanted: tuple[Operation, ...],
    scope: Scope,
) -> str:
    if not storage.place.package.is_sys:
        operations = list(relevant) or list(wanted)
        return f"to permit it, add {scope} to the SCOPE of {one_of(operations)} in the declaration"
    scopes = [word for word in Scope if any(word in scopes for scopes in relevant.values())]
    if not scopes:
        other = "INTENTS" if wanted is _READING else "STATE"
        return f"it can only be used in {other}"
    return f"use it in a {one_of([_SINGULAR[word] for word in scopes])}"


_SINGULAR = {
    Scope.COMMANDS: "COMMAND",
    Scope.QUERIES: "QUERY",
    Scope.PROJECTORS: "PROJECTOR",
    Scope.JOBS: "JOB",
}
