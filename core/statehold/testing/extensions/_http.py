from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from statehold.sdk import Key, StorageContext, StorageError, Value


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A request that an extension has made."""

    method: str
    url: str
    body: bytes = b""
    headers: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class _Reply:
    status: int
    body: bytes
    headers: tuple[str, ...]
    error: str


class HttpMock:
    """Answers what extensions ask of `sys.Http`, as the test has said; nothing leaves the process.

    Attributes:
        requests: what was asked, in order.

    """

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self._replies: dict[tuple[str, str], _Reply] = {}

    def reply(
        self,
        url: str,
        body: object = b"",
        *,
        method: str = "GET",
        status: int = 200,
        headers: Iterable[str] = (),
    ) -> None:
        """Answer a URL from now on.

        Args:
            url: all of it.
            body: bytes or text; anything else is sent as JSON.
            method: the method that is answered.
            status: the status.
            headers: `Name: value`.

        """
        content = body if isinstance(body, bytes) else str(body).encode()
        if not isinstance(body, bytes | str):
            content = json.dumps(body).encode()
        self._replies[method, url] = _Reply(status=status, body=content, headers=tuple(headers), error="")

    def fail(self, url: str, error: str = "connection refused", *, method: str = "GET") -> None:
        """Let a URL fail from now on, as when nobody listens there."""
        self._replies[method, url] = _Reply(status=0, body=error.encode(), headers=(), error=error)

    def open(self, ctx: StorageContext) -> _Http:
        """Return the storage that answers."""
        return _Http(self, ctx.value, ctx.storage)

    def answer(self, storage: str, request: HttpRequest) -> _Reply:
        """Note a request and return what was said for it."""
        self.requests.append(request)
        try:
            return self._replies[request.method, request.url]
        except KeyError:
            known = ", ".join(f"{method} {url}" for method, url in self._replies) or "nothing"
            raise StorageError(
                f"{storage}: nobody said what {request.method} {request.url} answers; known is {known}",
                hint=f"Say so in the test: http.reply({request.url!r}, ...)",
            ) from None


class _Http:
    def __init__(self, mock: HttpMock, value: Callable[..., Value], name: str) -> None:
        self._mock = mock
        self._value = value
        self._name = name

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the answer as the only row."""
        asked: Any = key
        request = HttpRequest(
            method=asked.Method or "GET", url=asked.Url, body=asked.Body or b"", headers=asked.Header or ()
        )
        reply = self._mock.answer(self._name, request)
        if reply.error and not asked.HandleErrors:
            raise StorageError(f"{self._name}: {request.method} {request.url}: {reply.error}")
        yield (
            key,
            self._value(
                StatusCode=reply.status, Body=reply.body, Header=reply.headers, Error=reply.error or None
            ),
        )

    def free(self) -> None:
        """Do nothing: there is nothing to give back."""
