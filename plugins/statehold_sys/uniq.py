"""Storage `Uniq`: GET finds the record that has given values of a UNIQUE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from statehold.sdk import (
    CallContext,
    Entity,
    Field,
    Key,
    Operation,
    Provider,
    Scope,
    StorageContext,
    Value,
    fields,
)
from statehold_sys._bound import Bound, PerCall

if TYPE_CHECKING:
    from statehold.events import Reader, TableShape


class Uniq(Bound):
    """The unique values of the app's tables as the unit of one call has them."""

    __slots__ = ("_entities", "_unit")

    def __init__(self, entities: Mapping[type[Key], Entity], call: CallContext) -> None:
        self._entities = entities
        self._unit: Reader = call.unit

    def get(self, key: Key) -> Value | None:
        """Return the id of the active record that has the values given, None if there is none.

        Which fields of the key are set says which UNIQUE is meant.

        Raises:
            SchemaError: they are not those of one UNIQUE.
            WorkspaceError: the workspace does not exist, or does not have the table.

        """
        entity = self._entities[type(key)]
        given = {name: value for name, value in fields(key).items() if value is not None and name != "WSID"}
        record = self._unit.unique(key.WSID, self._unit.schemas[entity.name], given)
        return None if record is None else entity.value_class(ID=record)


def _open(ctx: StorageContext) -> PerCall:
    return PerCall(partial(Uniq, {entity.key_class: entity for entity in ctx.entities.values()}))


def _key(shape: TableShape) -> Iterable[Field]:
    """Return the fields of all uniques of a table, each of which may be left out."""
    names = dict.fromkeys(name for unique in shape.uniques for name in unique.fields)
    held = {field.name: field for field in shape.rows.value_fields}
    return [attrs.evolve(held[name], required=False) for name in names]


provider: Final = Provider(
    name="Uniq",
    open=_open,
    operations={Operation.GET: frozenset(Scope)},
    entity_key=_key,
    default_key=[],
    value=[Field("ID", "int64")],
    sync_projector=True,
    inprocess_only="it reads the records of the app, which the host keeps",
    description="Records by their unique values",
)
