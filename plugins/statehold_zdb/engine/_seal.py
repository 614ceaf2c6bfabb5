from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import attrs

from statehold.sdk import replace_file
from statehold_zdb.engine._errors import ZdbError

_FILE: Final = ".key"
_KEY: Final = 32
_NONCE: Final = 12


@attrs.define(eq=False)
class Seal:
    """Encrypts what must be known again, with a key that never leaves the folder.

    The settings of a namespace are copied to other places; the key is not, so what they have is of no use
    there.
    """

    _folder: Path
    _opened: dict[tuple[str, str], bytes | None] = attrs.field(factory=dict, init=False)

    def close(self, name: str, text: bytes) -> str:
        """Return *text* of the namespace *name*, encrypted; ZdbError where the key cannot be had."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most need none

        nonce = secrets.token_bytes(_NONCE)
        return (nonce + AESGCM(self._key()).encrypt(nonce, text, os.fsencode(name))).hex()

    def open(self, name: str, sealed: str) -> bytes | None:
        """Return what `close` was given, or None if it was done with another key, or one of both is damaged.

        Raises:
            ZdbError: the key cannot be read.

        """
        if (name, sealed) not in self._opened:
            self._opened[name, sealed] = self._open(name, sealed)
        return self._opened[name, sealed]

    def _open(self, name: str, sealed: str) -> bytes | None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most need none
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        path = self._folder / _FILE
        try:
            key, data = path.read_bytes(), bytes.fromhex(sealed)
            return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], os.fsencode(name))
        except (FileNotFoundError, ValueError, InvalidTag):
            return None
        except OSError as error:
            raise ZdbError(f"cannot read {path}: {error}") from error

    def _key(self) -> bytes:
        path = self._folder / _FILE
        try:
            if not path.exists():
                replace_file(path, secrets.token_bytes(_KEY))
            key = path.read_bytes()
        except OSError as error:
            raise ZdbError(
                f"cannot have the key of passwords, {path}: {error}", hint="Make room on the disk, or mend it"
            ) from error
        if len(key) != _KEY:
            raise ZdbError(
                f"{path} is damaged: it has {len(key)} bytes, not {_KEY}",
                hint="Bring it back from a copy, or remove it and set the passwords anew",
            )
        return key
