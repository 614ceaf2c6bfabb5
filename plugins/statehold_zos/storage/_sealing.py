from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

import attrs

from statehold.sdk import StorageError, sync_folder

_MARK: Final = "sealed:1:"
_NONCE: Final = 12
_FILE: Final = "passwords.key"
_KEY: Final = 32


@attrs.frozen
class Sealing:
    """Encrypts passwords that are on their way: what an app intends is written down before it is done.

    The key is in the node's folder, which only its owner can read.
    """

    _folder: Path

    def close(self, about: str, password: str) -> str:
        """Return a password, encrypted; what is encrypted already stays as it is."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - most need none

        if self._opened(about, password) is not None:
            return password
        nonce = secrets.token_bytes(_NONCE)
        return _MARK + (nonce + AESGCM(self._key()).encrypt(nonce, password.encode(), about.encode())).hex()

    def open(self, about: str, said: str) -> str:
        """Return the password again; StorageError for one that was encrypted with another key."""
        if not said.startswith(_MARK):
            return said
        opened = self._opened(about, said)
        if opened is None:
            raise StorageError(
                f"the password of {about} was written down with another key than that of {self._folder}",
                hint="Give the password again",
            )
        return opened

    def _opened(self, about: str, said: str) -> str | None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - most need none
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        if not said.startswith(_MARK):
            return None
        try:
            sealed = bytes.fromhex(said.removeprefix(_MARK))
            return AESGCM(self._key()).decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode()).decode()
        except (ValueError, InvalidTag):
            return None

    def _key(self) -> bytes:
        path = self._folder / _FILE
        while True:
            try:
                return hashlib.sha256(path.read_bytes()).digest()
            except FileNotFoundError:
                self._make(path)

    def _make(self, path: Path) -> None:
        """Write a key; of several who do that at once, the first has."""
        new = path.with_name(f"{_FILE}-{secrets.token_hex(8)}")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, secrets.token_bytes(_KEY))
            os.fsync(file)
            path.hardlink_to(new)
            sync_folder(self._folder)  # what is encrypted with it may be on disk before
        except FileExistsError:
            pass
        finally:
            os.close(file)
            new.unlink()
