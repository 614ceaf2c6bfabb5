from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

from statehold_zdb.engine import ZdbError

_RECEIVE: Final = 256 * 1024
_PORT: Final = 9900


class ZdbConnectionError(ZdbError):
    """A server of 0-db cannot be reached, or does not answer."""


class ReplyError(ZdbError):
    """The server refused a command; the message is what it said."""


@attrs.frozen
class Place:
    """Where a namespace of a server is.

    Attributes:
        host, port: the server; or
        socket: its UNIX socket.
        namespace: the namespace.

    """

    host: str = ""
    port: int = _PORT
    socket: str = ""
    namespace: str = "default"

    @classmethod
    def parse(cls, url: str) -> Place:
        """Return what `zdb://host:port/namespace` or `zdb+unix:///path?namespace=name` says.

        Raises:
            ZdbError: *url* is neither.

        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORT
        except ValueError as error:
            raise ZdbError(f"cannot read the URL of a 0-db: {error}") from error
        if parts.username or parts.password:
            raise ZdbError("the URL of a 0-db has no password in it", hint="Give it as Password")
        if parts.scheme == "zdb" and parts.hostname:
            return cls(parts.hostname, port, "", unquote(parts.path.strip("/")) or "default")
        if parts.scheme == "zdb+unix" and parts.path:
            (namespace,) = parse_qs(parts.query).get("namespace", ["default"])[:1]
            return cls("", 0, unquote(parts.path), namespace)
        raise ZdbError(
            "the URL of a 0-db: expected zdb://HOST:PORT/NAMESPACE or zdb+unix:///PATH?namespace=NAME, "
            f"got {url!r}"
        )

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"{self.host}:{self.port}"


class Client:
    """One connection to a server, for one thread at a time.

    Args:
        place: where the namespace is.
        password: of the namespace; only a hash of it, with a challenge of the server, is sent.
        limit: the seconds that a call may take.

    Raises:
        ZdbConnectionError: the server cannot be reached.
        ReplyError: it does not let this client use the namespace.

    """

    def __init__(self, place: Place, *, password: str = "", limit: float = 30.0) -> None:
        self._place = place
        self._limit = limit
        self._buffer = b""
        try:
            if place.socket:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket.settimeout(limit)
                self._socket.connect(place.socket)
            else:
                self._socket = socket.create_connection((place.host, place.port), timeout=limit)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            if hasattr(self, "_socket"):
                self._socket.close()
            raise ZdbConnectionError(f"cannot reach the 0-db at {place}: {error}") from error
        try:
            self._select(password)
        except BaseException:
            self.close()
            raise

    def call(self, *command: bytes) -> Any:
        """Send a command and return the answer; ReplyError where it is an error."""
        (answer,) = self.calls([command])
        if isinstance(answer, ReplyError):
            raise answer
        return answer

    def calls(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        """Send many commands at once and return their answers, errors as `ReplyError` among them."""
        end = time.monotonic() + self._limit
        data = b"".join(
            b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
            for words in commands
        )
        try:
            self._socket.settimeout(self._limit)
            self._socket.sendall(data)
            return [self._answer(end) for _ in commands]
        except OSError as error:
            self.close()
            raise ZdbConnectionError(f"the 0-db at {self._place} does not answer: {error}") from error
        except (ValueError, RecursionError) as error:
            self.close()
            raise ZdbConnectionError(f"what the 0-db at {self._place} says is no RESP: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._socket.fileno() < 0

    def _select(self, password: str) -> None:
        name = os.fsencode(self._place.namespace)
        if not password:
            self.call(b"SELECT", name)
            return
        nonce = self.call(b"AUTH", b"SECURE", b"CHALLENGE")
        if not isinstance(nonce, bytes):
            raise ZdbConnectionError(f"the 0-db at {self._place} gives no challenge, but {nonce!r}")
        answer = hashlib.sha1(nonce + b":" + os.fsencode(password)).hexdigest()  # noqa: S324 - 0-db's way
        self.call(b"SELECT", name, b"SECURE", answer.encode())

    def _answer(self, end: float) -> Any:
        line = self._line(end)
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._bytes(size, end)
        if kind == b"*":
            return [self._answer(end) for _ in range(int(rest))]
        raise ConnectionError(f"what it says is no RESP: {line[:40]!r}")

    def _line(self, end: float) -> bytes:
        while (at := self._buffer.find(b"\r\n")) < 0:
            self._buffer += self._receive(end)
        line, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
        return line

    def _bytes(self, size: int, end: float) -> bytes:
        pieces, count = [self._buffer], len(self._buffer)
        while count < size + 2:
            pieces.append(self._receive(end))
            count += len(pieces[-1])
        data = b"".join(pieces)
        self._buffer = data[size + 2 :]
        return data[:size]

    def _receive(self, end: float) -> bytes:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        self._socket.settimeout(left)
        data = self._socket.recv(_RECEIVE)
        if not data:
            raise ConnectionError("it has closed the connection")
        return data


@attrs.define(eq=False)
class Pool:
    """Connections to one place, as many as are used at once; idle ones are kept."""

    _place: Place
    _password: str = attrs.field(default="", repr=False)
    _limit: float = 30.0
    _idle: list[Client] = attrs.field(factory=list, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    @contextmanager
    def client(self) -> Generator[Client]:
        """Use a connection; one that broke is not used again."""
        with self._lock:
            client = self._idle.pop() if self._idle else None
        if client is None:
            client = Client(self._place, password=self._password, limit=self._limit)
        try:
            yield client
        except BaseException as error:
            if not isinstance(error, ReplyError):
                client.close()
            raise
        finally:
            with self._lock:
                if self._closed or client.closed:
                    client.close()
                else:
                    self._idle.append(client)

    def calls(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        """Do what `Client.calls` does; over a new connection, where an idle one turns out to be broken."""
        fresh = not self._idle
        try:
            with self.client() as client:
                return client.calls(commands)
        except ZdbConnectionError as error:
            # A server that did not answer in time has had all the time that a call may take.
            if fresh or isinstance(error.__cause__, TimeoutError):
                raise
        with self._lock:
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()
        with self.client() as client:
            return client.calls(commands)

    def close(self) -> None:
        """Close all connections, those in use when they are put back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()
