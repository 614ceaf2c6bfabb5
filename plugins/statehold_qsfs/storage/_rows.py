from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import msgspec

from statehold.rows import decode, encode
from statehold.sdk import UNSET, DataType, Field, Key, StorageContext, StorageError, Value, fields

#: The attribute of a file that says which row it is, and what is not in the file itself.
ATTRIBUTE: Final = "user.statehold.row"
_MOST: Final = 60_000
_NAME: Final = 200
#: Beside letters and digits of all languages: what people have in names.
_SAFE: Final = frozenset(" !#&'()+,-.:;@[]_{}~")


@attrs.frozen(eq=False)
class Rows:
    """How rows become files.

    A file's path are the fields of the row's key, as people write them where that is possible. Where the
    value is one field, of text or bytes, the file has just that; else it has all fields, by name. What key it
    is, and which of both, an attribute of the file says: versions of an app read each other's rows.
    """

    storage: str
    folder: str
    _key_class: type[Key]
    _value_class: type[Value]
    _key_names: Sequence[str]
    _value_fields: Sequence[Field]
    _content: Field | None
    _decode: Callable[[bytes], list[Any]] = attrs.field(
        factory=lambda: msgspec.msgpack.Decoder(list[Any]).decode, init=False
    )

    @classmethod
    def of(cls, ctx: StorageContext, folder: str) -> Rows:
        """Return that of a storage; StorageError for fields that it cannot keep."""
        for field in (*ctx.key, *ctx.value_fields):
            if field.type is DataType.OBJECT or (field.repeated and field in ctx.key):
                raise StorageError(f"{ctx.storage}: field {field.name}: a Qsfs keeps no such fields")
        only = ctx.value_fields[0] if len(ctx.value_fields) == 1 else None
        if only is not None and (only.repeated or only.type not in {DataType.BYTES, DataType.TEXT}):
            only = None
        return cls(
            ctx.storage,
            folder,
            ctx.key_class,
            ctx.value_class,
            ctx.key_class.__struct_fields__,
            ctx.value_fields,
            only,
        )

    def path(self, key: Key) -> str:
        """Return the path of a row's file."""
        return "/".join((self.folder, *(_name(getattr(key, name)) for name in self._key_names)))

    def start(self, key: Key) -> tuple[str, int]:
        """Return the folder of the rows whose keys begin as *key* does, and how deep below it they are."""
        given = [value for value in fields(key).values() if value is not UNSET]
        return "/".join((self.folder, *map(_name, given))), len(self._key_names) - len(given)

    def file(self, key: Key, value: Value) -> tuple[bytes, bytes]:
        """Return the attribute and the contents of a row's file; StorageError if it cannot have them."""
        encoded = encode(tuple(getattr(key, name) for name in self._key_names))
        if len(encoded) > _MOST:
            raise StorageError(f"{self.storage}: a key has {len(encoded):,} bytes, a file's takes {_MOST:,}")
        stored: dict[str, Any] = {
            name: held for name, held in fields(value).items() if held is not None and held != ()
        }
        content = self._content
        if content is None or content.name not in stored:
            return msgspec.msgpack.encode([encoded, ""]), msgspec.msgpack.encode(stored)
        held = stored[content.name]
        data = held.encode() if isinstance(held, str) else bytes(held)
        return msgspec.msgpack.encode([encoded, content.name]), data

    def key_of(self, attribute: bytes) -> bytes:
        """Return the encoded key of a row, in whose order rows are."""
        encoded: bytes = self._decode(attribute)[0]
        return encoded

    def key(self, encoded: bytes) -> Key:
        """Return a key."""
        columns: tuple[Any, ...] = decode(encoded)
        return self._key_class(*columns)

    def value(self, attribute: bytes, data: bytes) -> Value:
        """Return the value that a file has."""
        content: str = self._decode(attribute)[1]
        stored: dict[str, Any] = {content: data} if content else msgspec.msgpack.decode(data)
        held = stored.get(content)
        return self._value_class(
            *(
                tuple(stored.get(name, ()))
                if field.repeated
                else held.decode()
                if name == content and held is not None and field.type is DataType.TEXT
                else stored.get(name)
                for name, field in zip(self._value_class.__struct_fields__, self._value_fields, strict=True)
            )
        )


def _name(value: object) -> str:
    """Return a file's name that is of this value alone."""
    if isinstance(value, str):
        name = "".join(each if each.isalnum() or each in _SAFE else _escaped(each) for each in value)
        name = "%2E" + name[1:] if name.startswith(".") else name or "=empty"
    elif value is None or isinstance(value, bool):
        name = f"={value}".lower()
    elif isinstance(value, int):
        name = f"={value}"
    else:
        name = f"=x{encode((value,)).hex()}"  # type: ignore[arg-type]  # whatever a field can have
    if len(name.encode()) > _NAME:
        name = f"=h{hashlib.blake2b(name.encode(), digest_size=32).hexdigest()}"
    return name


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
