from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, cast

import attrs
import httpcore
import httpx

from statehold.sdk import StorageError
from statehold_sys._http._request import Request
from statehold_sys._http._transport import GuardedTransport
from statehold_sys._network import AddressPolicy, Deadline
from statehold_sys.http import HttpConfig

_REDIRECTS: Final = 10
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

Answer = tuple[int, tuple[str, ...], bytes]


@attrs.frozen(eq=False)
class Client:
    """An HTTP client that is polite to the host: bounded in time, size, redirects and reach."""

    _name: str
    _client: httpx.Client
    _max_body: int

    @classmethod
    def open(cls, name: str, policy: AddressPolicy, config: HttpConfig) -> Client:
        """Return a client with no connection yet; StorageError if its CaFile cannot be read."""
        try:
            tls = httpx.create_ssl_context(trust_env=False)
            if config.CaFile is not None:
                tls = ssl.create_default_context(cafile=config.CaFile)
        except (OSError, ssl.SSLError) as error:
            raise StorageError(f"{name}: cannot read the CaFile {config.CaFile!r}: {error}") from error
        client = httpx.Client(
            transport=GuardedTransport(policy, tls),
            trust_env=False,
            follow_redirects=False,
            # Compressed bodies may be bombs; who wants them asks for them, and gets them as they are.
            headers={"Accept-Encoding": "identity", "User-Agent": "statehold"},
        )
        # What one workspace's request is told must not go along with another's.
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return cls(name, client, config.MaxBodyBytes)

    def send(self, request: Request, deadline: Deadline) -> Answer:
        """Return status, headers and body; StorageError if there is no response, or one too large."""
        try:
            return self._follow(self._build(request, deadline), deadline)
        except _FAILURES as error:
            raise StorageError(
                f"{self._name}: {request.method} {_shown(request.url)}: {_reason(error, deadline)}"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _build(self, request: Request, deadline: Deadline) -> httpx.Request:
        return self._client.build_request(
            request.method,
            request.url,
            headers=cast("Any", list(request.headers)),
            content=request.body or None,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), deadline)},
        )

    def _follow(self, request: httpx.Request, deadline: Deadline) -> Answer:
        for _ in range(_REDIRECTS + 1):
            response = self._client.send(request, stream=True)
            try:
                following = response.next_request
                if following is None:
                    return response.status_code, _header_lines(response), self._body(response, deadline)
            finally:
                response.close()
            request = following
        raise httpx.TooManyRedirects(f"more than {_REDIRECTS} redirects", request=request)

    def _body(self, response: httpx.Response, deadline: Deadline) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > self._max_body:
                raise httpx.ReadError(f"the body is larger than MaxBodyBytes, {self._max_body:,}")
            deadline.left()
        return bytes(body)


def _header_lines(response: httpx.Response) -> tuple[str, ...]:
    return tuple(f"{_text(name)}: {_text(value)}" for name, value in response.headers.raw)


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
    return f"{parsed.scheme}://{host}{port}{parsed.path}"


def _reason(error: Exception, deadline: Deadline) -> str:
    if isinstance(error, (TimeoutError, httpx.TimeoutException, httpcore.TimeoutException)):
        return str(deadline.passed())
    if isinstance(error, httpx.InvalidURL):
        # What it quotes after the colon may be a password.
        return str(error).partition(":")[0]
    return str(error) or type(error).__name__
