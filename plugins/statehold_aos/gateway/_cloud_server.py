from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final

from statehold_aos.gateway._cloud_connection import CloudConnection, Serving
from statehold_aos.gateway._cloud_hub import CloudHub
from statehold_aos.gateway._errors import GatewayError
from statehold_aos.gateway._exchange import Terms
from statehold_aos.gateway._extra import need_websockets
from statehold_aos.gateway._options import default_logger
from statehold_aos.gateway._protocol7 import Protocol7
from statehold_aos.gateway._wire import LARGEST

_JOIN_SECONDS: Final = 10.0
#: Units that may be connected at a time.
_UNITS: Final = 64


class CloudServer:
    """The cloud's side over WebSocket: to develop against, not to run a fleet.

    Args:
        hub: the cloud.
        host: where it listens; without TLS, this machine.
        port: likewise; 0: one that is free.
        context: TLS; None: without.
        workspace: that of messages which name none.
        largest: bytes of a message.
        terms: how messages are answered.
        alive: seconds without a sign of life, after which a unit is asked for one.
        remind: seconds after which what was pushed and did not come through is sent again.
        logger: hears of connections that fail, and of messages that cannot be read.

    Raises:
        GatewayError: the address cannot be had, or the library is not installed.

    """

    def __init__(
        self,
        hub: CloudHub,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        context: ssl.SSLContext | None = None,
        workspace: int = 1,
        largest: int = LARGEST,
        terms: Terms | None = None,
        alive: float = 20.0,
        remind: float = 5.0,
        logger: logging.Logger | None = None,
    ) -> None:
        need_websockets("units")
        self._serving: Final = Serving(
            hub=hub,
            context=context,
            codec=Protocol7(workspace=workspace, largest=largest),
            terms=terms or Terms(),
            alive=alive,
            remind=remind,
            logger=logger or default_logger(),
        )
        self._lock: Final = threading.Lock()
        self._served: Final[set[CloudConnection]] = set()
        self._is_closed = False
        try:
            self._listener: Final = socket.create_server((host, port), backlog=_UNITS)
        except OSError as error:
            raise GatewayError(f"the cloud cannot listen on {host}:{port}: {error}") from error
        self.port: Final[int] = self._listener.getsockname()[1]
        self.url: Final = f"{'ws' if context is None else 'wss'}://{host}:{self.port}"
        self._thread: Final = threading.Thread(target=self._accept, name="aos-cloud", daemon=True)
        self._thread.start()

    def disconnect(self) -> int:
        """Break all connections without a word, as a network does; return how many there were."""
        with self._lock:
            served = list(self._served)
        return sum(one.cut() for one in served)

    def close(self) -> None:
        """End all connections in order; a second time does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            served = list(self._served)
        with suppress(OSError):  # wakes who accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in served:
            one.stop()
        for thread in (self._thread, *(one.thread for one in served)):
            thread.join(_JOIN_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._is_closed:
                    return
                time.sleep(0.1)  # no more descriptors, for a while
                continue
            with self._lock:
                if self._is_closed or len(self._served) >= _UNITS:
                    sock.close()
                    continue
                served = CloudConnection(sock, self._serving, self._ended)
                self._served.add(served)
                served.thread.start()

    def _ended(self, served: CloudConnection) -> None:
        with self._lock:
            self._served.discard(served)
