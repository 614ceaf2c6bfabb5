from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from msgspec import Struct

from statehold_vsql._contract import Contract
from statehold_vsql._fields import DataType, Field
from statehold_vsql._words import ExtensionEngine, Operation, Scope, StorageEngine
from statehold_vsql.appdef import StorageDef
from statehold_vsql.semantics._common import tag_names
from statehold_vsql.semantics._config import check_config
from statehold_vsql.semantics._fields import checked_length, near_type
from statehold_vsql.semantics._model import Symbol
from statehold_vsql.semantics._names import Names
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_ENGINES = {ExtensionEngine.BUILTIN: StorageEngine.BUILTIN, ExtensionEngine.WASM: StorageEngine.WASM}
_RESOLVED_HERE = frozenset({StorageEngine.BUILTIN, StorageEngine.PYPLUGIN})


class StorageInfo(Struct, frozen=True):
    """A declared storage, with the contract of its provider if that is known."""

    definition: StorageDef
    contract: Contract | None


class Storages:
    """Checks the declarations of storages, and holds them against the contracts of known providers."""

    def __init__(
        self,
        names: Names,
        report: Report,
        contracts: Mapping[str, Contract] | None,
        with_plugin: Collection[str],
    ) -> None:
        self._names = names
        self._report = report
        self._contracts = contracts
        self._with_plugin = frozenset(with_plugin)

    def check(self, symbol: Symbol) -> StorageInfo:
        """Check one declaration."""
        node: n.Storage = symbol.node
        block = symbol.outer
        # As Voedger's own `sys` declares its storages; what Voedger accepts there is accepted.
        is_voedgers = isinstance(block, n.ExtensionBlock)
        engine = self._engine(symbol, block)
        provider = node.provider.text if node.provider is not None else symbol.name
        contract = None
        # The plugin of its package comes first, and may have a provider of the same name.
        is_left = engine is StorageEngine.PYPLUGIN and symbol.place.package.path in self._with_plugin
        if self._contracts is not None and engine in _RESOLVED_HERE and not is_left:
            contract = self._contracts.get(provider)
        operations = self._operations(symbol, is_lenient=is_voedgers)
        key = self._fields(symbol, node.key, "KEY")
        value = self._fields(symbol, node.value, "VALUE")
        if contract is not None:
            self._check_operations(symbol, provider, contract)
            self._check_schema(symbol, provider, "KEY", declared=key, expected=contract.key)
            self._check_schema(symbol, provider, "VALUE", declared=value, expected=contract.value)
            if operations is None:
                operations = MappingProxyType(dict(contract.operations))
        elif self._contracts is not None and engine is StorageEngine.BUILTIN and not is_voedgers:
            at = node.provider.span if node.provider is not None else node.name.span
            self._report.error(
                symbol.place,
                at,
                "unknown-provider",
                f"storage {symbol.qname}: this host has no builtin provider {provider}",
                self._report.nearest(provider, self._contracts, size=len(self._contracts))
                or "a provider of your own is ENGINE PYPLUGIN",
            )
        for word in node.repeated:
            self._report.error(
                symbol.place,
                word.span,
                "duplicate-clause",
                f"storage {symbol.qname} has {word} already",
                "leave one out",
            )
        tag_names(node.tags, symbol.place, self._names)
        if node.config is not None:
            check_config(symbol, node.config, self._report)
        return StorageInfo(
            StorageDef(
                name=symbol.qname,
                engine=engine,
                provider=provider,
                operations=operations,
                key=key,
                value=value,
                config=node.config.value if node.config is not None else None,
                entity_record=node.entity_record,
                entity_view=node.entity_view,
                comment=node.comment,
                position=symbol.position,
            ),
            contract,
        )

    def _engine(self, symbol: Symbol, block: n.ExtensionBlock | n.StateStorageBlock) -> StorageEngine:
        if isinstance(block, n.StateStorageBlock):
            return block.engine
        engine = _ENGINES.get(block.engine, StorageEngine.PYPLUGIN)
        if symbol.place.workspace is not None:
            # Not possible in a workspace, which the parser reports.
            symbol.is_broken = True
        elif not symbol.place.package.is_sys:
            symbol.is_broken = True
            self._report.error(
                symbol.place,
                symbol.head,
                "storage-outside-sys",
                f"storage {symbol.name} is declared in EXTENSION ENGINE, which only package sys may do",
                f"declare it in STATESTORAGE ENGINE {engine} (...)",
            )
        elif block.engine not in _ENGINES:
            symbol.is_broken = True
            self._report.error(
                symbol.place,
                block.engine_span,
                "storage-engine",
                f"storage {symbol.name} cannot be declared in EXTENSION ENGINE {block.engine}",
                "declare it in STATESTORAGE ENGINE PYPLUGIN (...)",
            )
        return engine

    def _operations(self, symbol: Symbol, *, is_lenient: bool) -> Mapping[Operation, frozenset[Scope]] | None:
        node: n.Storage = symbol.node
        if node.operations is None:
            return None
        found: dict[Operation, frozenset[Scope]] = {}
        spans: dict[Operation, n.Span] = {}
        for item in node.operations:
            scopes = frozenset(word.scope for word in item.scopes)
            first = spans.setdefault(item.operation, item.operation_span)
            if first is not item.operation_span and not is_lenient:
                self._report.error(
                    symbol.place,
                    item.operation_span,
                    "duplicate-operation",
                    f"storage {symbol.qname} has {item.operation} already, at {symbol.place.position(first)}",
                    "put all its scopes into one SCOPE(...)",
                )
            found[item.operation] = found.get(item.operation, frozenset()) | scopes
        return MappingProxyType({word: found[word] for word in Operation if word in found})

    def _fields(
        self, symbol: Symbol, nodes: tuple[n.StorageField, ...] | None, clause: str
    ) -> tuple[Field, ...] | None:
        if nodes is None:
            return None
        place = symbol.place
        found: dict[str, tuple[Field, n.Span]] = {}
        for node in nodes:
            name = node.name.text
            if name in found:
                self._report.error(
                    place,
                    node.name.span,
                    "duplicate-field",
                    f"{clause} of storage {symbol.qname} has a field {name} already, "
                    f"at {place.position(found[name][1])}",
                    "leave one out",
                )
                continue
            if name == "WSID":
                self._report.error(
                    place,
                    node.name.span,
                    "reserved-field",
                    f"{clause} of storage {symbol.qname} names WSID, which every key has by itself",
                    "leave it out; a plugin finds the workspace in key.WSID"
                    if clause == "KEY"
                    else "give it another name: a call names key and value together, and the workspace so",
                )
                continue
            field = self._field(symbol, node)
            if field is not None:
                found[name] = (field, node.name.span)
        return tuple(field for field, _ in found.values())

    def _field(self, symbol: Symbol, node: n.StorageField) -> Field | None:
        type_ = node.type
        if isinstance(type_, n.NameRef):
            self._report.error(
                symbol.place,
                type_.span,
                "undefined-type",
                f"{type_.text} is not a data type, and a storage's fields can only be of those",
                near_type(type_.name, self._report),
            )
            return None
        if type_.type is DataType.BLOB:
            self._report.error(
                symbol.place,
                type_.span,
                "blob-outside-table",
                f"field {node.name} is a blob, but only tables can hold blobs",
                "use bytes",
            )
        length = checked_length(type_, symbol.place, self._report, maximum=None)
        return Field(node.name.text, type_.type, required=node.not_null, max_length=length)

    def _check_operations(self, symbol: Symbol, provider: str, contract: Contract) -> None:
        node: n.Storage = symbol.node
        for item in node.operations or ():
            if item.operation not in contract.operations:
                offered = ", ".join(word for word in Operation if word in contract.operations)
                self._report.error(
                    symbol.place,
                    item.operation_span,
                    "unknown-operation",
                    f"storage {symbol.qname} declares {item.operation}, but its provider {provider} "
                    f"has only {offered}",
                    f"remove {item.operation}",
                )

    def _check_schema(
        self,
        symbol: Symbol,
        provider: str,
        clause: str,
        *,
        declared: tuple[Field, ...] | None,
        expected: tuple[Field, ...] | None,
    ) -> None:
        node: n.Storage = symbol.node
        nodes = node.key if clause == "KEY" else node.value
        if declared is None or expected is None or nodes is None:
            return
        spans = {item.name.text: item.span for item in nodes}
        ours = {field.name: field for field in declared}
        theirs = {field.name: field for field in expected}
        for name, field in ours.items():
            other = theirs.get(name)
            if other is None:
                message = f"{clause} of storage {symbol.qname}: its provider {provider} has no field {name}"
                hint = self._report.nearest(name, theirs, size=len(theirs))
            elif other.type is not field.type or other.required is not field.required:
                message = (
                    f"{clause} of storage {symbol.qname}: field {name} is declared as `{field}`, "
                    f"but its provider {provider} expects `{other}`"
                )
                hint = f"write `{other}`"
            else:
                continue
            self._report.error(symbol.place, spans[name], "schema-mismatch", message, hint)
        missing = [str(field) for name, field in theirs.items() if name not in spans]
        if missing and not node.is_partial:
            self._report.error(
                symbol.place,
                symbol.head,
                "schema-mismatch",
                f"{clause} of storage {symbol.qname} lacks fields of its provider {provider}: "
                f"{', '.join(missing)}",
                f"add them, or leave {clause} out to take all of the provider's",
            )
