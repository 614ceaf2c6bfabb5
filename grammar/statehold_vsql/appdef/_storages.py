from __future__ import annotations

from collections.abc import Mapping

import attrs

from statehold_vsql._fields import Field
from statehold_vsql._words import Operation, Scope, StorageEngine
from statehold_vsql.appdef._names import Position, QName


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
    comment: str = ""
    position: Position


@attrs.frozen(kw_only=True)
class StorageUse:
    """One entry of STATE or INTENTS: a storage and the entities it is used with."""

    storage: QName
    entities: tuple[QName, ...] = ()
    position: Position


@attrs.frozen(kw_only=True)
class ParameterDef:
    """A value that the operator may set per package (`PARAMETER`), or must (`SECRET`)."""

    name: QName
    field: Field
    default: int | float | str | bool | None = None
    secret: bool = False
    comment: str = ""
    position: Position
