from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from starlette.types import Receive, Scope

from statehold.processing import RequestError
from statehold.serving._errors import HttpError

T = TypeVar("T")


class CommandBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a command is sent."""

    args: dict[str, Any] | None = None
    unloggedArgs: dict[str, Any] | None = None  # noqa: N815 - as the API writes it


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""

    #: Nobody but the client is to blame.
    status = 499


async def body(scope: Scope, receive: Receive, *, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        HttpError: it is longer than *most* bytes.
        ClientGoneError: the client has gone.

    """
    _check_length(scope, most)
    message = await receive()
    # All of it is there in one piece, but for the long ones.
    if message["type"] == "http.request" and not message.get("more_body"):
        piece: bytes = message.get("body", b"")
        if len(piece) > most:
            raise _too_long(most)
        return piece
    pieces = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise ClientGoneError
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            raise _too_long(most)
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()


async def pieces(scope: Scope, receive: Receive, *, most: int) -> AsyncIterator[bytes]:
    """Yield the body of a request piece by piece.

    Raises:
        HttpError: it is longer than *most* bytes.
        ClientGoneError: the client has gone.

    """
    _check_length(scope, most)
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGoneError
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise _too_long(most)
        if piece:
            yield piece
        more = message.get("more_body", False)


def decode(text: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return what a body says.

    Raises:
        RequestError: it is no JSON, or not of the form that is expected.

    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise RequestError(f"the body does not fit: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from None


def check_json(content_type: bytes) -> None:
    """Check that a body says to be JSON, or says nothing.

    Raises:
        HttpError: it says something else.

    """
    kind = content_type.partition(b";")[0].strip().lower()
    if kind and kind != b"application/json" and not kind.endswith(b"+json"):
        raise HttpError(
            415,
            f"the body is {kind.decode('latin-1')[:80]!r}, expected application/json",
            hint="Send the header Content-Type: application/json",
        )


def _check_length(scope: Scope, most: int) -> None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # A parser that lets through what is no number is not ours.
            if int(value) > most:
                raise _too_long(most)
            return


def _too_long(most: int) -> HttpError:
    # The rest of it is not read: the next request cannot follow on this connection.
    return HttpError(
        413, f"the body is too long: at most {most:,} bytes are taken", headers={"Connection": "close"}
    )
