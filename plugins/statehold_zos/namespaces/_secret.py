from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

_SIZE: Final = 32


class Secrets:
    """The administrators' passwords of servers: made of a key that only the node's folder has, never kept."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "key"

    def of(self, server: str) -> str:
        """Return the password of a server's administrators: 64 hex digits."""
        return hmac.new(self._key(), server.encode(), hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        while True:
            try:
                key = self._path.read_bytes()
            except FileNotFoundError:
                self._make()
                continue
            if len(key) == _SIZE:
                return key
            # It is damaged, and may be guessed. With another, servers are started anew, and nothing is lost.
            self._path.unlink(missing_ok=True)

    def _make(self) -> None:
        """Write a key; of several who do that at once, the first has."""
        new = self._path.with_name(f"key-{secrets.token_hex(8)}")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, secrets.token_bytes(_SIZE))
            os.fsync(file)
            os.link(new, self._path)
        except FileExistsError:
            pass
        finally:
            os.close(file)
            new.unlink()
