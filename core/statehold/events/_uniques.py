from __future__ import annotations

import hashlib
from collections.abc import Mapping
from operator import attrgetter

from statehold.events import _layout as layout
from statehold.rows import Columns, encode
from statehold.sdk import Value

#: Values with more text and bytes than this stand in the key as a digest.
_LONGEST = 200


class Unique:
    """The fields of one UNIQUE, and where the row of their values stands.

    A record of which a field is NULL, or that is not active, is in nobody's way.
    """

    __slots__ = ("_prefix", "_values", "fields")

    def __init__(self, table: str, fields: tuple[str, ...]) -> None:
        # A version that writes them in another order finds the same rows.
        self.fields = tuple(sorted(fields))
        self._values = attrgetter(*self.fields)
        self._prefix = (table, ",".join(self.fields))

    def values(self, value: Value) -> Columns | None:
        """Return the values of the fields in *value*, None if one is NULL."""
        found: Columns = self._values(value) if len(self.fields) > 1 else (self._values(value),)
        return None if None in found else found

    def values_of(self, fields: Mapping[str, object]) -> Columns | None:
        """Return the values of the fields in a map by name, None if one is NULL."""
        found: Columns = tuple([fields.get(name) for name in self.fields])  # type: ignore[misc]
        return None if None in found else found

    def key(self, workspace: int, values: Columns) -> tuple[Columns, Columns]:
        """Return the key of the row that says which record has *values*."""
        partition = (layout.UNIQUES, workspace, *self._prefix)
        if sum([len(value) for value in values if isinstance(value, (str, bytes))]) > _LONGEST:
            values = (hashlib.sha256(encode(values)).digest(),)
        return partition, values
