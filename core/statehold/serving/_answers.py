from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Send

from statehold.extensions import CodeError
from statehold.processing import Failure, ProcessingError, ResponseError, failure
from statehold.sdk import StateholdError
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
    """Return the status, the body and the headers that say an error; see `safe`."""
    found = safe(error)
    headers = dict(error.headers) if isinstance(error, HttpError) else {}
    if found.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(found.retry_after)))
    if isinstance(error, TokenError):
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return found.status, encode(found.to_json()), headers


def json_response(document: Mapping[str, Any], *, status: int = 200) -> Response:
    """Return an answer with a document."""
    return Response(encode(document), status, media_type="application/json")


def error_member(error: BaseException) -> bytes:
    """Return an error as the member `error` of an answer that has begun."""
    return encode(safe(error).to_json())


def safe(error: BaseException) -> Failure:
    """Return what an outsider may know of an error.

    Of one that nobody intended he gets a reference only, under which the log has the error.
    """
    found = failure(error)
    if found.status != 500 or isinstance(error, ResponseError):
        return found
    reference = secrets.token_hex(4)
    _log_defect(error, reference)
    message = f"{found.qname or 'the host'} failed; the host's log says how, under {reference}"
    return Failure(status=500, message=message, qname=found.qname, data={"reference": reference})


def _log_defect(error: BaseException, reference: str) -> None:
    cause = error
    while isinstance(cause, ProcessingError) and cause.__cause__ is not None:
        cause = cause.__cause__
    # Of a `CodeError` it is known that its traceback shows no secret, and what is no `StateholdError` is a
    # defect of the host; of any other only what it says has been looked through.
    is_safe = isinstance(cause, CodeError) or not isinstance(cause, StateholdError)
    text = "\n".join((str(error), *getattr(cause, "__notes__", ())))
    _log.error("%s: %s", reference, text, exc_info=cause if is_safe else None)
