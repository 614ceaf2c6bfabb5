from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, cast

import attrs

from statehold.sdk import UNSET, Key, StorageError, fields

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# Nothing that ends a line anywhere, or that the HTTP library refuses: its error would quote the value.
_BAD_IN_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# They say where a request ends and whom it is for: that is the storage's to say.
_RESERVED: Final = frozenset({"content-length", "host", "transfer-encoding"})
_MAX_METHOD: Final = 40
_DEFAULT_TIMEOUT: Final = 20_000
_MAX_TIMEOUT: Final = 3_600_000


@attrs.frozen(kw_only=True)
class Request:
    """A request as the key describes it, checked; `key` is that key, with nothing left open."""

    key: Key = attrs.field(repr=False)
    url: str
    method: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = attrs.field(repr=False)
    timeout: float
    handle_errors: bool

    @classmethod
    def of(cls, storage: str, key: Key, whole: type[Key]) -> Request:
        """Return what *key* asks for; StorageError for what no request can be made of."""
        key = _whole(key, whole)
        url = key["Url"]
        if not isinstance(url, str) or not url:
            raise StorageError(f"{storage}: the key has no Url", hint="Give the key a Url field")
        scheme = url.partition("://")[0].lower()
        if scheme not in ("http", "https"):
            raise StorageError(
                # What it begins with instead may be a user's name and password.
                f"{storage}: expected a Url that begins with http:// or https://, got another",
                hint="Write the whole URL, with its scheme",
            )
        method = str(key["Method"] or "GET")
        if not _TOKEN.match(method) or len(method) > _MAX_METHOD or method.upper() == "CONNECT":
            raise StorageError(f"{storage}: expected an HTTP method such as GET or POST, got {method!r:.80}")
        timeout = key["HTTPClientTimeoutMilliseconds"] or _DEFAULT_TIMEOUT
        if not isinstance(timeout, int) or not 0 < timeout <= _MAX_TIMEOUT:
            raise StorageError(
                f"{storage}: expected HTTPClientTimeoutMilliseconds from 1 to {_MAX_TIMEOUT}, got {timeout}",
                hint=f"Leave it out or give 0 for {_DEFAULT_TIMEOUT} ms",
            )
        body, headers = key["Body"], key["Header"]
        return cls(
            key=key,
            url=url,
            method=method.upper(),
            body=body if isinstance(body, bytes) else b"",
            headers=_headers(storage, headers if isinstance(headers, tuple) else ()),
            timeout=timeout / 1000,
            handle_errors=key["HandleErrors"] is True,
        )


def _whole(key: Key, make: type[Key]) -> Key:
    # What a prefix leaves open is not asked for: NULL, or no lines of Header.
    given = {name: None if value is UNSET else value for name, value in fields(key).items()}
    given["Header"] = given["Header"] or ()
    return make(**cast("Any", given))


def _headers(storage: str, lines: Iterable[str]) -> tuple[tuple[bytes, bytes], ...]:
    headers = []
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.match(name) or _BAD_IN_VALUE.search(value):
            # It may be a credential: nothing of it is shown.
            raise StorageError(
                f"{storage}: expected a Header as 'Name: value' without line breaks or other control "
                f"characters, number {number} is not"
            )
        if name.lower() in _RESERVED:
            raise StorageError(f"{storage}: the Header {name} cannot be set", hint="Leave it out: it is made")
        headers.append((name.encode(), value.strip(" \t").encode()))
    return tuple(headers)
