from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

from statehold_aos.gateway._errors import GatewayError


class AmqpTrouble(StrEnum):
    """Why there is no way through a broker."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    CREDENTIALS = "credentials"
    DENIED = "denied"
    MISSING = "missing"
    BUSY = "busy"
    UNLIKE = "unlike"
    DISCOVERY = "discovery"
    BLOCKED = "blocked"
    LOST = "lost"


class AmqpError(GatewayError):
    """There is no way through the broker at the moment; it is tried again.

    Attributes:
        trouble: why.

    """

    def __init__(self, message: str, *, trouble: AmqpTrouble, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trouble = trouble


_HINTS: Final = {
    AmqpTrouble.UNREACHABLE: "Look whether the broker runs, and whether host and port are right",
    AmqpTrouble.TLS: "Look at the certificates of both sides, and who has signed them",
    AmqpTrouble.CREDENTIALS: "Look at user and password",
    AmqpTrouble.DENIED: "The user needs the right to write to the exchange, and to read the queue",
    AmqpTrouble.MISSING: "The cloud makes exchange and queue",
    AmqpTrouble.BUSY: "Somebody else reads it alone, or the connection before has not yet ended",
}
#: What a broker says when it closes a channel or a connection.
_CODES: Final = {
    402: AmqpTrouble.DENIED,
    403: AmqpTrouble.DENIED,
    404: AmqpTrouble.MISSING,
    405: AmqpTrouble.BUSY,
    406: AmqpTrouble.UNLIKE,
    530: AmqpTrouble.DENIED,
}
_NAMES: Final = {
    "ProbableAuthenticationError": AmqpTrouble.CREDENTIALS,
    "AuthenticationError": AmqpTrouble.CREDENTIALS,
    "ProbableAccessDeniedError": AmqpTrouble.DENIED,
}
_TLS_WORDS: Final = ("SSLError", "CERTIFICATE", "certificate")


def explained(error: BaseException | None, where: str) -> AmqpError:
    """Return what an error of pika means; *where* says what was being done, and with whom."""
    causes = [] if error is None else list(_causes(error))
    trouble = next(filter(None, map(_trouble, causes)), AmqpTrouble.LOST)
    said = next(filter(None, map(_said, reversed(causes))), "the connection has ended")
    return AmqpError(f"{where}: {said}", trouble=trouble, hint=_HINTS.get(trouble, ""))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it stands for: pika wraps errors in others in several ways."""
    yield error
    inner: list[Any] = [getattr(error, "exception", None), *getattr(error, "exceptions", ()), *error.args]
    for one in inner:
        if isinstance(one, BaseException):
            yield from _causes(one)


def _trouble(error: BaseException) -> AmqpTrouble | None:
    name = type(error).__name__
    if name in _NAMES:
        # Also where the connection was merely lost in that moment.
        return AmqpTrouble.LOST if "StreamLost" in str(error) else _NAMES[name]
    code = getattr(error, "reply_code", None)
    if code in _CODES:
        return _CODES[code]
    if isinstance(error, ssl.SSLError) or any(word in str(error) for word in _TLS_WORDS):
        return AmqpTrouble.TLS
    if isinstance(error, socket.gaierror | ConnectionRefusedError | TimeoutError) or "Timeout" in name:
        return AmqpTrouble.UNREACHABLE
    return AmqpTrouble.UNREACHABLE if isinstance(error, OSError) else None


def _said(error: BaseException) -> str:
    text = getattr(error, "reply_text", None)
    if text:
        return str(text)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error.args[0]) if error.args and isinstance(error.args[0], str) else ""
    # How pika says that the connection has ended, but for the alerts of TLS, which say why.
    is_plain = ("StreamLost" in said or "EOF" in said) and not any(word in said for word in _TLS_WORDS)
    return "" if is_plain else said
