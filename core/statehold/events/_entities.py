from __future__ import annotations

from collections.abc import Mapping

from statehold.events._shape import Shape
from statehold.sdk import Entity, Provider
from statehold.state import Rows, compile_rows


def entity_rows(provider: Provider, shape: Shape) -> Rows:
    """Return the constructors of the keys and values that a storage of *provider* has for an entity.

    They are those of the shape itself, but for what the provider says of KEY and VALUE.
    """
    own = shape.rows
    key = provider.key
    if key is None and provider.entity_key is not None:
        key = tuple(provider.entity_key(shape))
    if (key is None or key == own.key_fields) and provider.value is None:
        return own
    return compile_rows(
        shape.name,
        own.key_fields if key is None else key,
        shape.tree.value_fields if provider.value is None else provider.value,
    )


def entities_of(rows: Mapping[Shape, Rows]) -> dict[str, Entity]:
    """Return what a storage sees of the entities it is used with, by name."""
    return {
        shape.name: Entity(
            name=shape.name,
            definition=shape.definition,
            key=own.key_fields,
            value_fields=own.value_fields,
            key_class=own.Key,
            prefix_class=own.Prefix,
            value_class=own.Value,
            value=own.value,
        )
        for shape, own in rows.items()
    }
