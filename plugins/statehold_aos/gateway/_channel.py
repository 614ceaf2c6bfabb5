from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from statehold_aos.gateway._frames import Frames

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.server import ServerProtocol

_READ: Final = 2**16
#: What is read at once before it is looked at: one who sends without end does not get all attention.
_ROUND: Final = 2**20
#: What the other side has not taken: nothing more of it is read, for that may want an answer.
_FULL: Final = 4 * 2**20
_CLOSING_SECONDS: Final = 2.0
_ENDED: Final = (OSError, EOFError)


class Closed(Exception):  # noqa: N818 - it is no error
    """The connection has ended; says why."""


class Alarm:
    """What wakes who waits for a channel; any thread may ring."""

    def __init__(self) -> None:
        self.descriptor: Final = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._is_rung = False

    def ring(self) -> None:
        """Wake who waits, or who will."""
        if not self._is_rung:
            self._is_rung = True
            os.eventfd_write(self.descriptor, 1)

    def clear(self) -> None:
        """Take note that it has rung, before looking at what it was rung for."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)
        # Not before: who rings meanwhile has said so already, and what for is yet to be looked at.
        self._is_rung = False

    def wait(self, seconds: float) -> None:
        """Wait until it rings, or for so long."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        if poll.poll(seconds * 1000):
            self.clear()

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)


class Channel:
    """WebSocket over a socket: whole messages in, whole messages out.

    One thread at a time may use it; while one is in `pause`, another one may.

    Args:
        sock: connected, with TLS or without.
        protocol: what a message is, from `websockets`; the handshake is yet to come.
        alarm: wakes who is in `pause`.
        largest: bytes of a message.

    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: ClientProtocol | ServerProtocol,
        alarm: Alarm,
        largest: int,
    ) -> None:
        from websockets.protocol import State  # noqa: PLC0415 - an extra

        self._states: Final = State
        self._frames: Final = Frames(protocol, largest)
        self._socket: Final = sock
        self._is_secure: Final = isinstance(sock, ssl.SSLSocket)
        self._protocol: Final = protocol
        self._alarm: Final = alarm
        self._out: Final = bytearray()
        self._is_ended = False
        self._poll: Final = select.poll()
        self._poll.register(alarm.descriptor, select.POLLIN)
        self._waits_for = select.POLLIN
        self._poll.register(sock, self._waits_for)
        #: Whether TLS must write to read.
        self._wants_write = False
        self._early: Final[list[bytes]] = []
        #: When something came from the other side, on a clock that does not jump.
        self.heard = time.monotonic()
        sock.settimeout(0)
        with suppress(OSError):  # a socket that is none of TCP
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def waiting(self) -> int:
        """Bytes that the other side has not taken yet."""
        return len(self._out)

    def send(self, messages: Iterable[bytes]) -> None:
        """Send messages, as far as the other side takes them; the rest goes with `flush`.

        Raises:
            Closed: the connection has ended.

        """
        self._collect()
        for message in messages:
            self._check_open()
            self._out.extend(self._frames.written(message))
        self.flush()

    def ping(self) -> None:
        """Ask the other side for a sign of life; any thing that it sends is one."""
        self._check_open()
        self._protocol.send_ping(b"")
        self.flush()

    def open(self, until: float, is_stopped: Callable[[], bool]) -> None:
        """Do the handshake, of whichever side.

        Raises:
            Closed: there is none, or not in time.

        """
        from websockets.client import ClientProtocol  # noqa: PLC0415 - an extra
        from websockets.http11 import Request  # noqa: PLC0415 - likewise

        protocol = self._protocol
        if isinstance(protocol, ClientProtocol):
            protocol.send_request(protocol.connect())
        self.flush()
        while self._is_connecting():
            if is_stopped():
                raise Closed("the gateway was closed")
            if time.monotonic() >= until:
                raise Closed("nobody has spoken WebSocket in time")
            if not self.prepare():
                self.pause(until - time.monotonic())
            for event in self._receive():
                if isinstance(event, Request) and not isinstance(protocol, ClientProtocol):
                    protocol.send_response(protocol.accept(event))
                    self._early.extend(self._frames.feed(b""))
                elif isinstance(event, bytes):
                    self._early.append(event)
            self.flush()
            if self._is_connecting() and (self._is_ended or protocol.close_expected()):
                raise Closed(self.why())
        self._check_open()

    def _is_connecting(self) -> bool:
        return self._protocol.state is self._states.CONNECTING

    def _check_open(self) -> None:
        if self._protocol.state is not self._states.OPEN:
            raise Closed(self.why())

    def prepare(self) -> bool:
        """Get ready for `pause`; whether there is something to read already."""
        if self._early or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        mask = select.POLLIN if len(self._out) < _FULL else 0
        mask |= select.POLLOUT if self._out or self._wants_write else 0
        if mask != self._waits_for:
            self._waits_for = mask
            self._poll.modify(self._socket, mask)
        return False

    def pause(self, seconds: float) -> None:
        """Wait until there is something to read, something was written, or the alarm rings.

        Others may use the channel meanwhile; who leaves something behind that the socket has not taken rings
        the alarm.
        """
        for descriptor, _ in self._poll.poll(max(seconds, 0) * 1000):
            if descriptor == self._alarm.descriptor:
                self._alarm.clear()

    def read(self) -> list[bytes]:
        """Return the messages that have arrived; none while the other side takes nothing.

        Raises:
            Closed: the connection has ended, and no message is left.

        """
        early, self._early[:] = list(self._early), []
        messages = early + [one for one in self._receive() if isinstance(one, bytes)]
        try:
            self.flush()
        except Closed:
            self._is_ended = True
        if not messages and (self._is_ended or self._protocol.close_expected()):
            raise Closed(self.why())
        return messages

    def _receive(self) -> list[Any]:
        taken = 0
        found: list[Any] = []
        while not self._is_ended and taken < _ROUND and len(self._out) < _FULL:
            try:
                data = self._socket.recv(_READ)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._wants_write = False
                break
            except ssl.SSLWantWriteError:
                self._wants_write = True
                break
            except _ENDED:
                data = b""
            if data:
                taken += len(data)
                found += self._frames.feed(data)
                if len(data) < _READ and not self._is_secure:
                    break  # there is no more, most of the time; TLS gives a part at a time
            else:
                found += self._frames.end()
                self._is_ended = True
        if taken:
            self.heard = time.monotonic()
        return found

    def flush(self) -> None:
        """Send what can be sent without waiting.

        Raises:
            Closed: the connection has ended.

        """
        self._collect()
        while self._out:
            try:
                with memoryview(self._out) as left:
                    sent = self._socket.send(left[:_READ])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return
            except _ENDED as error:
                raise Closed(str(error) or "the connection was broken") from error
            del self._out[:sent]

    def _collect(self) -> None:
        """Take what the library wants to be sent."""
        for data in self._protocol.data_to_send():
            self._out.extend(data)  # an end of the stream is empty, and comes with `close`

    def why(self) -> str:
        """Return why the connection has ended."""
        protocol = self._protocol
        if protocol.handshake_exc is not None:
            return f"no WebSocket: {protocol.handshake_exc}"
        if protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError):
            return f"no message: {protocol.parser_exc}"
        if protocol.close_rcvd is not None:
            return f"the other side has closed it: {protocol.close_rcvd}"
        return "the connection was broken"

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection in order if the other side takes part, and in any case soon."""
        from websockets.exceptions import WebSocketException  # noqa: PLC0415 - an extra

        with suppress(Closed, *_ENDED, WebSocketException):
            if self._protocol.state is self._states.OPEN:
                self._protocol.send_close(code, reason)
            self.flush()
            if not self._is_ended:
                self._socket.settimeout(_CLOSING_SECONDS)
                if self._out:
                    self._socket.sendall(self._out)
                if not self._is_connecting():
                    self._socket.shutdown(socket.SHUT_WR)
                    self._discard()
        self.drop()

    def drop(self) -> None:
        """End the connection at once."""
        with suppress(OSError):
            self._socket.close()

    def _discard(self) -> None:
        """Read what still comes, so that what was sent is not lost with the connection."""
        until = time.monotonic() + _CLOSING_SECONDS
        while self._socket.recv(_READ) and time.monotonic() < until:
            pass


def quiet_logger() -> logging.Logger:
    """Return what swallows what `websockets` says: who uses a channel says it himself."""
    return logging.Logger("websockets", logging.CRITICAL + 1)  # noqa: LOG001 - nobody else is to get it
