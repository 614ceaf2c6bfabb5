from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import attrs
import httpcore
import httpx

from statehold_sys._network import AddressPolicy, Deadline

_PIECE: Final = 64 * 1024


class GuardedTransport(httpx.BaseTransport):
    """Connects only to addresses the policy permits, and ends every wait at the request's deadline.

    The deadline is what stands in the request's time-out extension; TLS is checked against the host's
    name, although the connection goes to the address that was checked.
    """

    def __init__(self, policy: AddressPolicy, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_GuardedBackend(policy),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and return the response, its body still on the way."""
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(cast("Any", response.stream)),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream: Any = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        deadline = _deadline(timeout)
        failure: Exception | None = None
        for address in self._policy.addresses(host, port, deadline):
            try:
                stream = self._backend.connect_tcp(
                    address, port, deadline.left(), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream)
        raise failure or httpcore.ConnectError(f"no address for {host}")


@attrs.frozen(eq=False)
class _TimedStream(httpcore.NetworkStream):
    """A connection whose waits share the deadline of the request that they are for."""

    _stream: httpcore.NetworkStream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _deadline(timeout).left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # Of its own: the stream would grant the time-out anew to every piece that the peer takes.
        deadline = _deadline(timeout)
        peer: socket.socket = self._stream.get_extra_info("socket")
        rest = memoryview(buffer)
        try:
            while rest:
                peer.settimeout(deadline.left())
                rest = rest[peer.send(rest[:_PIECE]) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _deadline(timeout).left()
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _deadline(timeout: float | None) -> Deadline:
    return timeout if isinstance(timeout, Deadline) else Deadline(20.0 if timeout is None else timeout)
