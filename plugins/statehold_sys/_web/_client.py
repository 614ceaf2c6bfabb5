from __future__ import annotations

import io
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, cast

import attrs
import httpcore
import httpx

from statehold.sdk import StorageError
from statehold_sys._network import AddressPolicy, Deadline
from statehold_sys._web._redirects import without_strangers
from statehold_sys._web._transport import GuardedTransport

_FAILURES: Final = (
    OSError,
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    UnicodeError,
)

_SHOWN: Final = 300

Headers = Iterable[tuple[bytes, bytes]]


@attrs.frozen(eq=False)
class Client:
    """An HTTP client that is polite to the host: bounded in time, size, redirects and reach."""

    _name: str
    _client: httpx.Client
    _max_body: int
    _redirects: int

    @classmethod
    def open(
        cls, name: str, policy: AddressPolicy, *, max_body: int, ca_file: str | None, redirects: int
    ) -> Client:
        """Return a client with no connection yet; StorageError if *ca_file* cannot be read."""
        try:
            tls = httpx.create_ssl_context(trust_env=False)
            if ca_file is not None:
                tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise StorageError(f"{name}: cannot read the CaFile {ca_file!r}: {error}") from error
        client = httpx.Client(
            transport=GuardedTransport(policy, tls),
            trust_env=False,
            follow_redirects=False,
            # Compressed bodies may be bombs; who wants them asks for them, and gets them as they are.
            headers={"Accept-Encoding": "identity", "User-Agent": "statehold"},
        )
        # What one workspace's request is told must not go along with another's.
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return cls(name, client, max_body, redirects)

    @contextmanager
    def send(
        self, method: str, url: str, *, headers: Headers = (), body: bytes = b"", deadline: Deadline
    ) -> Iterator[Answer]:
        """Yield the answer to a request, its body still on the way; StorageError if there is none."""
        trouble = _Trouble(self._name, method, url, deadline)
        with trouble.told():
            response = self._follow(
                self._client.build_request(
                    method,
                    url,
                    headers=cast("Any", list(headers)),
                    content=body or None,
                    extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), deadline)},
                )
            )
        try:
            yield Answer(response, self._max_body, trouble)
        finally:
            response.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _follow(self, request: httpx.Request) -> httpx.Response:
        for _ in range(self._redirects + 1):
            response = self._client.send(request, stream=True)
            if response.next_request is None or not self._redirects:
                return response
            response.close()
            request = without_strangers(request, response.next_request)
        raise httpx.TooManyRedirects(f"more than {self._redirects} redirects", request=request)


@attrs.frozen(eq=False)
class _Trouble:
    """Tells what went wrong with a request, and nothing that may be a secret."""

    name: str
    method: str
    url: str = attrs.field(repr=False)
    deadline: Deadline

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise StorageError for what the network, the server or the URL did."""
        try:
            yield
        except _FAILURES as error:
            raise StorageError(
                f"{self.name}: {self.method} {_shown(self.url)}: {_reason(error, self.deadline)}"
            ) from error


@attrs.frozen(eq=False)
class Answer:
    """What a server answered, as far as it has arrived."""

    _response: httpx.Response
    _max_body: int
    _trouble: _Trouble

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status_code

    def headers(self) -> tuple[str, ...]:
        """Return the headers as `Name: value`, each as often as it came."""
        return tuple(f"{_text(name)}: {_text(value)}" for name, value in self._response.headers.raw)

    def body(self) -> bytes:
        """Return the body; StorageError if it breaks off, is too large or too late."""
        # Not a list of pieces: of a body that comes byte by byte it would be many times as large.
        whole = io.BytesIO()
        for piece in self.pieces():
            whole.write(piece)
        return whole.getvalue()

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it arrives; the time that the caller takes between pieces does not count."""
        size = 0
        arriving = self._response.iter_raw()
        while True:
            with self._trouble.told():
                piece = next(arriving, None)
                self._trouble.deadline.left()
                if piece is None:
                    return
                size += len(piece)
                if size > self._max_body:
                    raise httpx.ReadError(f"the body is larger than MaxBodyBytes, {self._max_body:,}")
            with self._trouble.deadline.paused():
                yield piece


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _shown(url: str) -> str:
    # Without user, password and query: they may be secrets.
    try:
        parsed = httpx.URL(url)
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    except (httpx.InvalidURL, UnicodeError):
        return "an invalid URL"
    port = "" if parsed.port is None else f":{parsed.port}"
    whole = f"{parsed.scheme}://{host}{port}{parsed.path}"
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}..."


def _reason(error: Exception, deadline: Deadline) -> str:
    if isinstance(error, (TimeoutError, httpx.TimeoutException, httpcore.TimeoutException)):
        return str(deadline.passed())
    if isinstance(error, httpx.InvalidURL):
        # What it quotes after the colon may be a password.
        return str(error).partition(":")[0]
    return str(error) or type(error).__name__
