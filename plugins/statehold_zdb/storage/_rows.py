from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import msgspec

from statehold.rows import decode, encode
from statehold.sdk import UNSET, DataType, Field, Key, StorageContext, StorageError, Value, fields
from statehold_zdb.engine import MAX_KEY, MAX_PAYLOAD

_WHOLE, _HASHED = b"\x00", b"\x01"


@attrs.frozen(eq=False)
class Rows:
    """How rows become keys and payloads of 0-db.

    A key is the fields of the row's key, in bytes that begin as those of its first fields do; where that is
    too long for 0-db, it is a hash of all but the beginning, and the payload has the whole. A payload has the
    fields of the value by name, so that versions of an app read each other's rows.
    """

    storage: str
    prefix: bytes
    _key_class: type[Key]
    _value_class: type[Value]
    _key_names: Sequence[str]
    _value_fields: Sequence[Field]
    _decode: Callable[[bytes], list[Any]] = attrs.field(
        factory=lambda: msgspec.msgpack.Decoder(list[Any]).decode, init=False
    )

    @classmethod
    def of(cls, ctx: StorageContext, prefix: bytes) -> Rows:
        """Return that of a storage; StorageError for fields that it cannot keep."""
        for field in (*ctx.key, *ctx.value_fields):
            if field.type is DataType.OBJECT or (field.repeated and field in ctx.key):
                raise StorageError(f"{ctx.storage}: field {field.name}: a Zdb keeps no such fields")
        return cls(
            ctx.storage,
            prefix,
            ctx.key_class,
            ctx.value_class,
            ctx.key_class.__struct_fields__,
            ctx.value_fields,
        )

    def key(self, key: Key) -> bytes:
        """Return the key of a row."""
        return self._stored(self._encoded(key))

    def starts(self, key: Key) -> tuple[bytes, bytes]:
        """Return what keys begin with of rows that begin as *key* does, and what all hashed ones do."""
        given: Any = tuple(value for value in fields(key).values() if value is not UNSET)
        whole = encode(given)
        return self.prefix + _WHOLE + whole, self.prefix + _HASHED

    def payload(self, key: Key, value: Value) -> bytes:
        """Return the payload of a row; StorageError if it is too large."""
        encoded = self._encoded(key)
        stored = {name: held for name, held in fields(value).items() if held is not None and held != ()}
        payload = msgspec.msgpack.encode([encoded if self._is_long(encoded) else None, stored])
        if len(payload) > MAX_PAYLOAD:
            raise StorageError(
                f"{self.storage}: a row has {len(payload):,} bytes, 0-db takes {MAX_PAYLOAD:,}"
            )
        return payload

    def value(self, payload: bytes) -> Value:
        """Return the value that a payload has."""
        stored = self._decode(payload)[1]
        return self._value_class(
            *(
                tuple(stored.get(name, ())) if field.repeated else stored.get(name)
                for name, field in zip(self._value_class.__struct_fields__, self._value_fields, strict=True)
            )
        )

    def encoded(self, key: bytes, payload: bytes) -> bytes:
        """Return the encoded fields of the key that a row stands under."""
        rest = key[len(self.prefix) :]
        return rest[1:] if rest[:1] == _WHOLE else self._decode(payload)[0]

    def row(self, encoded: bytes, payload: bytes) -> tuple[Key, Value]:
        """Return a row."""
        columns: tuple[Any, ...] = decode(encoded)
        return self._key_class(*columns), self.value(payload)

    def _encoded(self, key: Key) -> bytes:
        return encode(tuple(getattr(key, name) for name in self._key_names))

    def _is_long(self, encoded: bytes) -> bool:
        return len(self.prefix) + 1 + len(encoded) > MAX_KEY

    def _stored(self, encoded: bytes) -> bytes:
        if self._is_long(encoded):
            return self.prefix + _HASHED + hashlib.blake2b(encoded, digest_size=32).digest()
        return self.prefix + _WHOLE + encoded


PREFIX_SIZE: Final = 8


def prefix_of(ctx: StorageContext) -> bytes:
    """Return what tells the rows of one storage and partition from others in a namespace."""
    who = f"{ctx.app}/{ctx.storage}/{ctx.partition}".encode()
    return hashlib.blake2b(who, digest_size=PREFIX_SIZE).digest()
