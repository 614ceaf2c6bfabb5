from __future__ import annotations

from typing import Any, Self

import msgspec

from statehold.sdk import Intent
from statehold.state._rows import Rows


class IntentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An intent as data that msgpack takes, to be applied later, by another process if need be.

    Attributes:
        storage: the qualified name.
        entity: the table, view or type; None where the storage has none.
        key: the fields of the key by name, with `WSID`.
        value: the fields of the value by name; those that are not set are left out.
        is_new: whether it is an INSERT.

    """

    storage: str
    entity: str | None
    key: dict[str, Any]
    value: dict[str, Any]
    is_new: bool

    @classmethod
    def of(cls, storage: str, entity: str | None, intent: Intent) -> Self:
        """Return the record of an intent."""
        return cls(
            storage=storage,
            entity=entity,
            key=msgspec.to_builtins(intent.key, builtin_types=(bytes,)),
            value=msgspec.to_builtins(intent.value, builtin_types=(bytes,)),
            is_new=intent.is_new,
        )

    def intent(self, rows: Rows) -> Intent:
        """Return the intent that the record was made of, with the keys and values that *rows* makes.

        Raises:
            SchemaError: the fields do not fit.

        """
        return Intent(rows.key(**self.key), rows.value(**self.value), is_new=self.is_new)
