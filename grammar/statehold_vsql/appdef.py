"""The compiled form of an application: frozen, without positions in a text except for error messages."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from statehold_vsql._fields import Field
from statehold_vsql._words import ExtensionEngine, ExtensionKind, Operation, Scope, StorageEngine


@attrs.frozen(order=True)
class QName:
    """The name of a thing in a package: `bills.PayBill`."""

    package: str
    name: str

    def __str__(self) -> str:
        """Return `package.name`."""
        return f"{self.package}.{self.name}"


@attrs.frozen
class Position:
    """Where something was declared; line and column count from 1."""

    package: str
    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"


@attrs.frozen(kw_only=True)
class StorageDef:
    """A declared storage: which operation may be used in which scope.

    `provider` is the provider's name, by default the storage's own. `operations` is None for a bare
    name, which takes the whole contract of its provider; so are `key` and `value` where the
    declaration leaves the schema to the provider. `config` is the text of JSONCONFIG.
    """

    name: QName
    engine: StorageEngine
    provider: str
    operations: Mapping[Operation, frozenset[Scope]] | None
    key: tuple[Field, ...] | None = None
    value: tuple[Field, ...] | None = None
    config: str | None = None
    entity_record: bool = False
    entity_view: bool = False
    position: Position


@attrs.frozen(kw_only=True)
class StorageUse:
    """One entry of STATE or INTENTS: a storage and the entities it is used with."""

    storage: QName
    entities: tuple[QName, ...] = ()
    position: Position


@attrs.frozen(kw_only=True)
class ExtensionDef:
    """A command, query, projector, job or function, and the storages it says it uses."""

    name: QName
    kind: ExtensionKind
    engine: ExtensionEngine
    state: tuple[StorageUse, ...] = ()
    intents: tuple[StorageUse, ...] = ()
    sync: bool = False
    position: Position


@attrs.frozen(kw_only=True)
class ParameterDef:
    """A value that the operator may set per package (`PARAMETER`), or must (`SECRET`)."""

    name: QName
    field: Field
    default: int | float | str | bool | None = None
    secret: bool = False
    position: Position


@attrs.frozen(kw_only=True)
class AppDef:
    """An application as its declarations say it: immutable, every name resolved.

    `packages` maps each package's local name to its path. `name` is the name in APPLICATION.
    """

    name: str
    packages: Mapping[str, str]
    storages: Mapping[QName, StorageDef]
    extensions: Mapping[QName, ExtensionDef]
    parameters: Mapping[QName, ParameterDef]
