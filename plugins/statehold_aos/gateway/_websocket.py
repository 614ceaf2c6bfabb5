from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from statehold_aos.gateway._address import Address
from statehold_aos.gateway._channel import Alarm, Channel, Closed, quiet_logger
from statehold_aos.gateway._dial import dial
from statehold_aos.gateway._errors import GatewayError, MessageError
from statehold_aos.gateway._exchange import Exchange, Message, Terms
from statehold_aos.gateway._extra import need_websockets
from statehold_aos.gateway._gateway import Unit
from statehold_aos.gateway._messages import StateAcceptance, ToCloud, UpdateState
from statehold_aos.gateway._options import Options
from statehold_aos.gateway._protocol7 import Protocol7
from statehold_aos.gateway._session import Session
from statehold_aos.gateway._tls import client_context

_CONNECT_SECONDS: Final = 10.0
_JOIN_SECONDS: Final = 5.0
#: A connection that lasts less counts as a failed one.
_LASTING_SECONDS: Final = 1.0


class _Link(NamedTuple):
    """A connection while it lasts."""

    exchange: Exchange
    session: Session


class WebSocketGateway:
    """The way to the cloud over WebSocket, with TLS, in AOS's protocol 7.

    It connects again whenever the connection is lost, and keeps nothing meanwhile.

    Args:
        url: `wss://...`; `ws://...` only to this machine.
        options: who the unit is, its certificates, and times.
        terms: how messages are answered, and how many may wait.

    Raises:
        GatewayError: the URL, a certificate or a key cannot be used, or the library is not installed.

    """

    def __init__(self, url: str, options: Options, terms: Terms | None = None) -> None:
        self._address: Final = Address.of(url)  # which has no password, so it can be shown
        need_websockets(url)
        from websockets.uri import parse_uri  # noqa: PLC0415 - an extra

        self._uri: Final = parse_uri(self._address.url)
        self._options: Final = options
        self._terms: Final = terms or Terms()
        self._codec: Final = Protocol7(
            system=options.system, workspace=options.workspace, largest=options.largest
        )
        self._context: Final = (
            client_context(options.authorities, options.certificate, options.key)
            if self._address.is_secure
            else None
        )
        self._random: Final = random.Random()  # noqa: S311 - for times
        self._alarm: Final = Alarm()
        self._lock: Final = threading.RLock()
        self._link: _Link | None = None
        self._unit: Unit | None = None
        self._thread: threading.Thread | None = None
        self._told = ""
        self._is_closed = False

    def connect(self, unit: Unit) -> None:
        """Begin to connect; return at once."""
        with self._lock:
            if self._is_closed or self._thread is not None:
                raise GatewayError("a gateway is connected once, and not after it was closed")
            self._unit = unit
            self._thread = threading.Thread(target=self._run, name="aos-websocket", daemon=True)
            self._thread.start()

    def send(self, message: ToCloud, *, more: bool = False) -> None:
        """Send *message* if there is a connection and room for it, else drop it.

        Raises:
            GatewayError: it is too large.

        """
        link = self._link
        if link is None:
            return
        try:
            link.exchange.put(message)
        finally:
            if not more and not link.session.push():
                with self._lock:
                    if not self._is_closed:
                        self._alarm.ring()

    def close(self) -> None:
        """End the connection; a second time does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed, self._unit = True, None
            self._alarm.ring()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SECONDS)
        if thread is None:
            self._alarm.close()

    # -- On the thread of the connection -----------------------------------------------------------------

    def _run(self) -> None:
        failed = 0
        try:
            while not self._is_closed:
                began = time.monotonic()
                try:
                    self._connection()
                except (Closed, OSError) as error:
                    self._tell(f"{error}")
                except Exception:  # a unit's, or of the library; the way is to be there all the same
                    self._options.logger.exception("AOS: the connection to %s failed", self._address.url)
                failed = 0 if time.monotonic() - began > _LASTING_SECONDS else failed + 1
                self._pause(failed)
        finally:
            with self._lock:
                self._is_closed = True
                self._alarm.close()

    def _connection(self) -> None:
        """Connect, and carry messages until the connection ends."""
        from websockets.client import ClientProtocol  # noqa: PLC0415 - an extra

        until = time.monotonic() + _CONNECT_SECONDS
        sock = dial(self._address, self._context, alarm=self._alarm, until=until, is_stopped=self._is_stopped)
        protocol = ClientProtocol(self._uri, max_size=self._options.largest, logger=quiet_logger())
        channel = Channel(sock, protocol, self._alarm, self._options.largest)
        try:
            channel.open(until, self._is_stopped)
        except BaseException:
            channel.drop()
            raise
        exchange = Exchange(self._codec, self._terms, self._dropped)
        session = Session(channel, exchange, deliver=self._deliver, bad=self._bad, alive=self._options.alive)
        self._link = _Link(exchange, session)
        try:
            self._hear(lambda unit: unit.connected())
            self._told = ""
            session.run(self._is_stopped)
        finally:
            self._link = None
            self._hear(lambda unit: unit.disconnected())
            session.drop()

    def _deliver(self, message: Message) -> bool:
        if not isinstance(message, StateAcceptance | UpdateState):
            raise MessageError(f"the cloud has sent a {type(message).__name__}, which only units send")
        with self._lock:
            return self._unit is not None and self._unit.received(message)

    def _hear(self, what: Callable[[Unit], None]) -> None:
        with self._lock:
            if self._unit is not None:
                what(self._unit)

    def _is_stopped(self) -> bool:
        return self._is_closed

    def _pause(self, failed: int) -> None:
        longest = min(self._options.first * 2 ** min(failed, 30), self._options.longest)
        until = time.monotonic() + longest * self._random.uniform(0.5, 1.0)
        while not self._is_closed and (left := until - time.monotonic()) > 0:
            self._alarm.wait(left)

    def _tell(self, what: str) -> None:
        if what != self._told and not self._is_closed:
            self._told = what
            self._options.logger.warning("AOS: no connection to %s: %s", self._address.url, what)

    def _bad(self, error: MessageError) -> None:
        self._options.logger.warning("AOS: from %s: %s", self._address.url, error)

    def _dropped(self, message: Message) -> None:
        self._options.logger.warning(
            "AOS: %s has not answered a %s: it is dropped", self._address.url, type(message).__name__
        )
