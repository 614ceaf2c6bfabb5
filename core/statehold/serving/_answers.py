from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Send

from statehold.processing import failure
from statehold.serving._errors import HttpError, TokenError

_JSON: Final = (b"content-type", b"application/json")
_LENGTH: Final = b"content-length"

encode: Final = msgspec.json.Encoder().encode
_log = logging.getLogger("statehold.serving")


async def send_json(
    send: Send, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with a body that is JSON already."""
    head = [_JSON, (_LENGTH, b"%d" % len(body))]
    if headers:
        head += [
            (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()
        ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, error: BaseException) -> None:
    """Answer with what is safe to say about an error; one that nobody intended is logged."""
    status, body, headers = described(error)
    await send_json(send, body, status=status, headers=headers)


def described(error: BaseException) -> tuple[int, bytes, dict[str, str]]:
    """Return the status, the body and the headers that say an error."""
    found = failure(error)
    headers = dict(error.headers) if isinstance(error, HttpError) else {}
    if found.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(found.retry_after)))
    if isinstance(error, TokenError):
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if found.status >= 500 and error.__cause__ is None and not hasattr(error, "status"):
        _log.error("%s: %s", type(error).__name__, error, exc_info=error)
    return found.status, encode(found.to_json()), headers


def json_response(document: Mapping[str, Any], *, status: int = 200) -> Response:
    """Return an answer with a document."""
    return Response(encode(document), status, media_type="application/json")


def error_member(error: BaseException) -> bytes:
    """Return an error as the member `error` of an answer that has begun."""
    body: dict[str, Any] = failure(error).to_json()
    return encode(body)
