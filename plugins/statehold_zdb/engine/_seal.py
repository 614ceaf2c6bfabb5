from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import attrs

from statehold.sdk import replace_file

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
        """Return *text* of the namespace *name*, encrypted."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most need none

        nonce = secrets.token_bytes(_NONCE)
        return (nonce + AESGCM(self._key()).encrypt(nonce, text, os.fsencode(name))).hex()

    def open(self, name: str, sealed: str) -> bytes | None:
        """Return what `close` was given, or None if it was done with another key."""
        if (name, sealed) not in self._opened:
            self._opened[name, sealed] = self._open(name, bytes.fromhex(sealed))
        return self._opened[name, sealed]

    def _open(self, name: str, sealed: bytes) -> bytes | None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most need none
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        try:
            key = (self._folder / _FILE).read_bytes()
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], os.fsencode(name))
        except (FileNotFoundError, InvalidTag):
            return None

    def _key(self) -> bytes:
        path = self._folder / _FILE
        if not path.exists():
            replace_file(path, secrets.token_bytes(_KEY))
        return path.read_bytes()
