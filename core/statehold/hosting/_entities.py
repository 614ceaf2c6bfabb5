from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from statehold.events import Schemas, Shape
from statehold.sdk import Entity, Field, Provider
from statehold.state import Rows, compile_rows
from statehold_vsql.appdef import ANY, QName

#: The result of an extension that may return anything.
_ANYTHING: Final = (Field("Value", "object"),)


@attrs.frozen(kw_only=True, eq=False)
class EntityRows:
    """What the keys and values of one storage are for one table, view or type."""

    rows: Rows
    entity: Entity | None


def entity_rows(
    storage: str, provider: Provider, entities: Iterable[QName], schemas: Schemas
) -> Mapping[str, EntityRows]:
    """Return the keys and values of a storage by entity, those of the entity itself where they fit.

    Raises:
        SchemaError: an entity or a key cannot be compiled.

    """
    found = {}
    for name in entities:
        if name == ANY:
            found[str(name)] = EntityRows(rows=compile_rows(storage, (), _ANYTHING), entity=None)
        else:
            found[str(name)] = _of_shape(storage, provider, schemas[name])
    return found


def _of_shape(storage: str, provider: Provider, shape: Shape) -> EntityRows:
    if provider.entity_key is not None:
        key = tuple(provider.entity_key(shape))
    else:
        key = shape.rows.key_fields if provider.key is None else provider.key
    value = shape.rows.value_fields if provider.value is None else provider.value
    if (key, value) == (shape.rows.key_fields, shape.rows.value_fields):
        return EntityRows(rows=shape.rows, entity=shape.entity)
    rows = compile_rows(f"{storage}({shape.name})", key, value)
    entity = attrs.evolve(
        shape.entity,
        key=rows.key_fields,
        value_fields=rows.value_fields,
        key_class=rows.Key,
        prefix_class=rows.Prefix,
        value_class=rows.Value,
        value=rows.value,
    )
    return EntityRows(rows=rows, entity=entity)
