from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import attrs

from statehold_aos.gateway._channel import Alarm, Channel, Closed, quiet_logger
from statehold_aos.gateway._cloud_hub import CloudHub
from statehold_aos.gateway._errors import GatewayError, MessageError
from statehold_aos.gateway._exchange import Exchange, Message, Terms
from statehold_aos.gateway._messages import NewState, StateRequest, StateStatus, ToCloud, ToUnit
from statehold_aos.gateway._protocol7 import Protocol7
from statehold_aos.gateway._session import Session

_CONNECT_SECONDS: Final = 10.0
#: Between two writes of what units say, while they go on: one is for all that has come by then.
_GATHER_SECONDS: Final = 0.001


@attrs.frozen(kw_only=True)
class Serving:
    """What all connections of a cloud have in common.

    Attributes:
        hub: the cloud.
        context: TLS; None: without.
        codec: the messages.
        terms: how they are answered.
        alive: seconds without a sign of life, after which a unit is asked for one.
        remind: seconds after which what was pushed and did not come through is sent again.
        logger: hears of connections that fail, and of messages that cannot be read.

    """

    hub: CloudHub
    context: ssl.SSLContext | None
    codec: Protocol7
    terms: Terms
    alive: float
    remind: float
    logger: logging.Logger


class CloudConnection:
    """One unit that is connected, on a thread of its own."""

    def __init__(
        self, sock: socket.socket, serving: Serving, ended: Callable[[CloudConnection], None]
    ) -> None:
        self._socket = sock
        self._serving: Final = serving
        self._ended: Final = ended
        self._alarm: Final = Alarm()
        self._exchange: Final = Exchange(serving.codec, serving.terms, self._dropped)
        self._batch: Final[list[ToCloud]] = []
        self._system = ""
        self._lock: Final = threading.Lock()
        self._is_stopped = False
        self._is_over = False
        self.thread: Final = threading.Thread(target=self._run, name="aos-cloud-unit", daemon=True)

    def send(self, message: ToUnit) -> bool:
        """Send a message, if there is room; any thread may."""
        try:
            taken = self._exchange.put(message)
        except MessageError as error:
            self._bad(error)
            return False
        if threading.get_ident() != self.thread.ident:  # it looks before it waits
            self._ring()
        return taken

    def cut(self) -> bool:
        """Break the connection as a network does; False where it has ended."""
        with self._lock:
            if self._is_over:
                return False
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            return True

    def stop(self) -> None:
        """End the connection in order; the thread ends soon."""
        self._is_stopped = True
        self._ring()

    def _ring(self) -> None:
        with self._lock:
            if not self._is_over:
                self._alarm.ring()

    def _run(self) -> None:
        try:
            self._carry()
        except (Closed, OSError, GatewayError) as error:
            self._serving.logger.info("AOS cloud: the connection of %s ended: %s", self._shown(), error)
        except Exception:  # of the library, or of who judges; others are served all the same
            self._serving.logger.exception("AOS cloud: the connection of %s failed", self._shown())
        finally:
            with self._lock:
                self._is_over = True
                self._alarm.close()
                self._socket.close()
            if self._system:
                self._serving.hub.detach(self._system, self.send)
            self._ended(self)

    def _carry(self) -> None:
        from websockets.server import ServerProtocol  # noqa: PLC0415 - an extra

        until = time.monotonic() + _CONNECT_SECONDS
        serving = self._serving
        if serving.context is not None:
            self._socket.settimeout(_CONNECT_SECONDS)
            plain = self._socket
            secure = serving.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            with self._lock:
                self._socket = secure
            secure.do_handshake()
        protocol = ServerProtocol(max_size=serving.codec.largest, logger=quiet_logger())
        channel = Channel(self._socket, protocol, self._alarm, serving.codec.largest)
        channel.open(until, self._stopped)
        session = Session(
            channel,
            self._exchange,
            deliver=self._deliver,
            settle=lambda: self._settle(session.system),
            bad=self._bad,
            alive=serving.alive,
            gather=_GATHER_SECONDS,
        )
        reminded = time.monotonic()
        while not self._is_stopped:
            session.turn(serving.remind)
            if self._system and time.monotonic() - reminded >= serving.remind:
                reminded = time.monotonic()
                serving.hub.remind(self._system)
        session.close(1001, "the cloud ends")

    def _stopped(self) -> bool:
        return self._is_stopped

    def _deliver(self, message: Message) -> bool:
        if not isinstance(message, NewState | StateRequest | StateStatus):
            raise MessageError(f"a unit has sent a {type(message).__name__}, which only clouds send")
        self._batch.append(message)
        return True

    def _settle(self, system: str) -> bool:
        """Let the cloud have all that has arrived at once, and be kept at once; False: nothing has."""
        if not self._system and system:
            self._system = system
            self._exchange.belongs_to(system)
            self._serving.hub.attach(system, self.send)
        if not self._batch:
            return False
        batch, self._batch[:] = list(self._batch), []
        if not self._system:
            raise Closed("it does not say which unit it is")
        for answer in self._serving.hub.received(self._system, batch):
            self.send(answer)
        return True

    def _bad(self, error: MessageError) -> None:
        self._serving.logger.warning("AOS cloud: from %s: %s", self._shown(), error)

    def _dropped(self, message: Message) -> None:
        self._serving.logger.warning(
            "AOS cloud: %s has not answered a %s: it is dropped", self._shown(), type(message).__name__
        )

    def _shown(self) -> str:
        return f"unit {self._system!r}" if self._system else "a unit that has not said its name"
