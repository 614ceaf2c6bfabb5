from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from statehold.processing import RequestError

CONSTRAINTS: Final = frozenset({"order", "limit", "skip", "include", "keys", "where"})
_QUERY: Final = CONSTRAINTS | {"args"}

_decode = msgspec.json.Decoder().decode


def query_parameters(query: bytes) -> tuple[dict[str, Any] | None, dict[str, str] | None]:
    """Return the argument and the constraints of a query, None where none are given.

    Raises:
        RequestError: they cannot be read.

    """
    if not query:
        return None, None
    if query.startswith(b"args=") and b"&" not in query:
        return _argument(_text(query[5:])), None
    given = parameters(query, _QUERY)
    args = given.pop("args", None)
    return (None if args is None else _argument(args.encode())), given or None


def parameters(query: bytes, known: frozenset[str]) -> dict[str, str]:
    """Return the parameters of a URL, each of which may be given once.

    Raises:
        RequestError: one is unknown, given twice, or no UTF-8.

    """
    found: dict[str, str] = {}
    for part in query.split(b"&"):
        if not part:
            continue
        raw, _, value = part.partition(b"=")
        try:
            name, text = _text(raw).decode(), _text(value).decode()
        except UnicodeDecodeError:
            raise RequestError(f"a parameter is not UTF-8: {part[:40]!r}") from None
        if name not in known:
            raise RequestError(
                f"unknown parameter {name[:40]!r}", hint=f"Known are {', '.join(sorted(known))}"
            )
        if name in found:
            raise RequestError(f"the parameter {name!r} is given twice")
        found[name] = text
    return found


def constraints(query: bytes) -> Mapping[str, str]:
    """Return the constraints of a URL.

    Raises:
        RequestError: they cannot be read.

    """
    return parameters(query, CONSTRAINTS) if query else {}


def _text(raw: bytes) -> bytes:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" not in raw:
        return raw
    # What JSON has to be escaped for, the most common first; a loop would cost half as much again.
    text = raw.replace(b"%22", b'"').replace(b"%7B", b"{").replace(b"%7D", b"}").replace(b"%3A", b":")
    if b"%" in text:
        text = text.replace(b"%20", b" ").replace(b"%2C", b",").replace(b"%5B", b"[").replace(b"%5D", b"]")
    # What they make is no part of another escape; where one is left, all are taken one by one.
    return unquote_to_bytes(raw) if b"%" in text else text


def _argument(text: bytes) -> dict[str, Any]:
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(
            f"args is not JSON: {error}", hint='Write it like args={"Number":7}, URL-encoded'
        ) from None
    if not isinstance(value, dict):
        raise RequestError(f"args: expected a JSON object, got {text[:40]!r}")
    return value
