from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote

import attrs
import msgspec

from statehold.rows import decode, encode
from statehold.sdk import UNSET, DataType, Field, Key, StorageContext, StorageError, Value, fields

#: A row is in memory as a whole.
MAX_ROW: Final = 256 * 1024 * 1024


@attrs.frozen(eq=False)
class Rows:
    """How rows become objects.

    The key of an object is the fields of the row's key, in hex digits that begin as those of its first fields
    do. Its bytes are the fields of the value by name, so that versions of an app read each other's rows.
    """

    storage: str
    prefix: str
    _key_class: type[Key]
    _value_class: type[Value]
    _key_names: Sequence[str]
    _value_fields: Sequence[Field]
    _decode: Callable[[bytes], dict[str, Any]] = attrs.field(
        factory=lambda: msgspec.msgpack.Decoder(dict[str, Any]).decode, init=False
    )

    @classmethod
    def of(cls, ctx: StorageContext) -> Rows:
        """Return that of a storage; StorageError for fields that it cannot keep."""
        for field in (*ctx.key, *ctx.value_fields):
            if field.type is DataType.OBJECT or (field.repeated and field in ctx.key):
                raise StorageError(f"{ctx.storage}: field {field.name}: a Zstor keeps no such fields")
        return cls(
            ctx.storage,
            f"rows/{quote(ctx.app, safe='')}/{ctx.storage}/{ctx.partition}/",
            ctx.key_class,
            ctx.value_class,
            ctx.key_class.__struct_fields__,
            ctx.value_fields,
        )

    def name(self, key: Key) -> str:
        """Return the key of the object of a row."""
        columns: Any = tuple(getattr(key, name) for name in self._key_names)
        return self.prefix + encode(columns).hex()

    def begins(self, key: Key) -> str:
        """Return what the names of rows begin with that begin as *key* does."""
        given: Any = tuple(value for value in fields(key).values() if value is not UNSET)
        return self.prefix + encode(given).hex()

    def payload(self, value: Value) -> bytes:
        """Return the bytes of a row; StorageError if there are too many."""
        stored = {name: held for name, held in fields(value).items() if held is not None and held != ()}
        payload = msgspec.msgpack.encode(stored)
        if len(payload) > MAX_ROW:
            raise StorageError(
                f"{self.storage}: a row has {len(payload):,} bytes, {MAX_ROW:,} are the most",
                hint="Keep it in several rows",
            )
        return payload

    def key(self, name: str) -> Key:
        """Return the key of the row that an object is."""
        columns: tuple[Any, ...] = decode(bytes.fromhex(name.removeprefix(self.prefix)))
        return self._key_class(*columns)

    def value(self, payload: bytes) -> Value:
        """Return the value of a row."""
        stored = self._decode(payload)
        return self._value_class(
            *(
                tuple(stored.get(name, ())) if field.repeated else stored.get(name)
                for name, field in zip(self._value_class.__struct_fields__, self._value_fields, strict=True)
            )
        )
