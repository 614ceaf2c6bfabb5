from __future__ import annotations

from operator import attrgetter
from typing import Any

import attrs

from statehold.events import _layout as layout
from statehold.events._shape import Shape, ShapeOf
from statehold.rows import MAX_KEY, Columns
from statehold.rows import encode as encode_key
from statehold.sdk import UNSET, DataType, Key, SchemaError
from statehold_vsql.appdef import ViewDef


class ViewShape(Shape):
    """The shape of a view: its PRIMARY KEY, partition key first, and its values.

    Attributes:
        partition_key: the names of the fields of the partition key.
        clustering_columns: the names of the fields that order the rows within it.

    """

    definition: ViewDef

    def __init__(self, definition: ViewDef, shape_of: ShapeOf) -> None:
        key = [*definition.partition_key, *definition.clustering_columns]
        super().__init__(
            definition,
            shape_of,
            key=[attrs.evolve(field.field, required=True) for field in key],
            fields=definition.values,
        )
        self.partition_key = tuple(field.name for field in definition.partition_key)
        self.clustering_columns = tuple(field.name for field in definition.clustering_columns)
        self._prefix = (layout.VIEW, self.name)
        # With WSID there are two at least, so that the getter returns a tuple.
        self._partition = attrgetter("WSID", *self.partition_key)
        self._clustering = attrgetter(*self.clustering_columns)
        self._is_single = len(self.clustering_columns) == 1
        # Only a long text or bytes can make a key too long.
        lengths = [
            field.field.max_length or 0
            for field in key
            if field.field.type in (DataType.TEXT, DataType.BYTES, DataType.QNAME)
        ]
        self._may_be_long = sum(lengths) * 4 > MAX_KEY // 2 or 0 in lengths

    def partition(self, key: Key) -> Columns:
        """Return the partition columns of the row under *key*."""
        return self._prefix + self._partition(key)

    def clustering(self, key: Key) -> Columns:
        """Return the clustering columns of the row under a whole *key*."""
        found = self._clustering(key)
        return (found,) if self._is_single else found

    def given(self, key: Key) -> Columns:
        """Return the clustering columns that *key* gives, from the left.

        Raises:
            SchemaError: a field of the partition key is missing.

        """
        for name in self.partition_key:
            if getattr(key, name) is UNSET:
                raise SchemaError(
                    f"{self.name}: READ needs the whole partition key; {name} is missing",
                    storage=self.name,
                    field=name,
                    expected=f"all of {', '.join(self.partition_key)}",
                    got=None,
                )
        found = [getattr(key, name) for name in self.clustering_columns]
        return tuple(found[: found.index(UNSET)] if UNSET in found else found)

    def check_key(self, partition: Columns, clustering: Columns) -> None:
        """Raise SchemaError if the key of a row to be written is longer than the row store holds."""
        if self._may_be_long:
            size = len(encode_key(partition)) + len(encode_key(clustering))
            if size > MAX_KEY:
                raise SchemaError(
                    f"{self.name}: the key is too long: expected at most {MAX_KEY} bytes, got {size}",
                    storage=self.name,
                    field=self.clustering_columns[-1],
                    expected=f"at most {MAX_KEY} bytes",
                    got=size,
                    hint="put a digest of what is long into the key, and the long text among the values",
                )

    def key_of(self, prefix: Key, clustering: Columns) -> Key:
        """Return the key of a row that was found by *prefix*."""
        fields: Any = self._partition(prefix)
        return self.rows.Key(*fields, *clustering)
