from __future__ import annotations

import hashlib
from collections.abc import Mapping
from operator import attrgetter

from statehold.events import _layout as layout
from statehold.rows import Columns
from statehold.rows import encode as encode_key
from statehold.sdk import Value

#: Values with more text and bytes than this stand in the key as a digest.
_LONGEST = 200
_ACTIVE = "sys.IsActive"


class Unique:
    """The fields of one UNIQUE, and where the row of their values stands.

    A record of which a field is NULL, or that is not active, is in nobody's way.

    Attributes:
        table: the qualified name of the table.
        fields: the fields, sorted: a version that writes them in another order finds the same rows.
        name: what it is known by over versions.

    """

    __slots__ = ("_get", "_prefix", "fields", "name", "table")

    def __init__(self, table: str, fields: tuple[str, ...]) -> None:
        self.table = table
        self.fields = tuple(sorted(fields))
        self._get = attrgetter(*self.fields)
        joined = ",".join(self.fields)
        self.name = f"{table}({joined})"
        if len(self.name) > _LONGEST:
            joined = hashlib.sha256(joined.encode()).hexdigest()
        self._prefix = (table, joined)

    def values(self, value: Value) -> Columns | None:
        """Return the unique values of a record, None if it has none: one is NULL, or it is not active."""
        if not value.sys_IsActive:  # type: ignore[attr-defined]
            return None
        found: Columns = self._get(value) if len(self.fields) > 1 else (self._get(value),)
        return None if None in found else found

    def values_of(self, fields: Mapping[str, object]) -> Columns | None:
        """Return the unique values of a record as a map by field name, None if it has none."""
        if not fields[_ACTIVE]:
            return None
        return self.given(fields)

    def given(self, fields: Mapping[str, object]) -> Columns | None:
        """Return the values of the fields in a map by name, None if one is NULL."""
        found: Columns = tuple([fields.get(name) for name in self.fields])  # type: ignore[misc]
        return None if None in found else found

    def key(self, workspace: int, values: Columns) -> tuple[Columns, Columns]:
        """Return the key of the row that says which record has *values*."""
        partition = (layout.UNIQUES, workspace, *self._prefix)
        size = 0
        for value in values:
            if isinstance(value, (str, bytes)):
                size += len(value)
        if size > _LONGEST:
            values = (hashlib.sha256(encode_key(values)).digest(),)
        return partition, values

    def shown(self, values: Columns) -> str:
        """Return *values* for people."""
        return ", ".join(f"{name} = {value!r:.60}" for name, value in zip(self.fields, values, strict=True))
