from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import attrs

from statehold.sdk import UNSET, Key, StorageContext, StorageError, Value, fields
from statehold_sys._federation._caller import Caller, text

_PIECE: Final = 1024


@attrs.frozen(eq=False, kw_only=True)
class FederationBlob:
    """Fetches the blob that a field of a record has, once per READ."""

    _caller: Caller
    _key_class: type[Key]
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext) -> FederationBlob:
        """Return a storage that has connected to nothing yet."""
        return cls(caller=Caller.of(ctx), key_class=ctx.key_class, value=ctx.value_class)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the blob as it arrives, in rows of up to 1024 bytes, all under the same key.

        Raises:
            StorageError: the key is wrong, there is no answer, or one that is not expected.

        """
        owner = key["OwnerID"]
        if owner is UNSET or not owner:
            raise StorageError(f"{self._caller.name}: OwnerID is missing", hint="Give the id of the record")
        for name in ("OwnerRecord", "OwnerRecordField"):
            if not text(key, name):
                raise StorageError(f"{self._caller.name}: {name} is missing", hint=f"Give the key its {name}")
        table = ".".join(
            self._caller.named(part, "OwnerRecord") for part in text(key, "OwnerRecord").split(".")
        )
        field = self._caller.named(text(key, "OwnerRecordField"), "OwnerRecordField")
        given = {name: None if one is UNSET else one for name, one in fields(key).items()}
        whole = self._key_class(**cast("Any", given))
        return self._rows(whole, f"docs/{table}/{owner}/blobs/{field}")

    def free(self) -> None:
        """Close all connections."""
        self._caller.free()

    def _rows(self, key: Key, path: str) -> Iterator[tuple[Key, Value]]:
        with self._caller.call("GET", path, key) as answer:
            rest = b""
            for arrived in answer.pieces():
                rest += arrived
                whole = len(rest) - len(rest) % _PIECE
                for start in range(0, whole, _PIECE):
                    yield key, self._value(Body=rest[start : start + _PIECE])
                rest = rest[whole:]
            if rest:
                yield key, self._value(Body=rest)
