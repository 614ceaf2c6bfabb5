from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from statehold_zdb.server._client import Client

_HASH: Final = 40


def challenge() -> bytes:
    """Return a new challenge: 16 hex digits."""
    return secrets.token_hex(8).encode()


def is_password(given: bytes, expected: bytes) -> bool:
    """Whether both are the same, to the last byte; takes as long whatever they are."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def grants(client: Client, answer: bytes, password: bytes) -> bytes | None:
    """Return why *answer* to the client's challenge is refused, or None; a challenge is answered once."""
    if client.nonce is None:
        return b"-No CHALLENGE requested, secure authentication not available\r\n"
    if len(answer) != _HASH:
        return b"-Invalid hash length\r\n"
    expected = hashlib.sha1(client.nonce + b":" + password).hexdigest()  # noqa: S324 - what clients send
    client.nonce = None
    return None if hmac.compare_digest(answer, expected.encode()) else b"-Access denied\r\n"


def is_word(given: bytes, word: bytes) -> bool:
    """Whether *given* is *word*, or the beginning of it, in any case of letters."""
    return word.startswith(given.upper())
