from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from statehold.sdk import StorageLogger
from statehold_aos._state._inbox import Inbox, Link
from statehold_aos.gateway import Gateway, GatewayError, ToCloud, ToUnit


class Uplink:
    """The gateway that is in use, and whether messages go through it."""

    def __init__(self, name: str, logger: StorageLogger) -> None:
        self._name: Final = name
        self._logger: Final = logger
        self._lock: Final = threading.Lock()
        self._inbox: Final = Inbox()
        self._gateway: Gateway | None = None
        self.is_connected = False
        self.descriptor: Final = self._inbox.descriptor

    def connect(self, gateway: Gateway) -> None:
        """Use a gateway from now on, instead of the one before."""
        with self._lock:
            before, self._gateway = self._gateway, gateway
            self.is_connected = False
        if before is not None:
            before.close()
        gateway.connect(self._inbox)

    def send(self, messages: Sequence[ToCloud]) -> None:
        """Send messages if there is a connection; what cannot be sent is told."""
        gateway = self._gateway
        if gateway is None or not self.is_connected:
            return
        last = len(messages) - 1
        for at, message in enumerate(messages):
            try:
                gateway.send(message, more=at < last)
            except GatewayError as error:
                self._logger.warning("%s: a message to the cloud was not sent: %s", self._name, error)

    def take(self) -> list[ToUnit | Link]:
        """Return what has come, and what became of the connection."""
        return self._inbox.take()

    def wake(self) -> None:
        """Let who waits for the descriptor look."""
        self._inbox.wake()

    def disconnect(self) -> None:
        """End the connection."""
        with self._lock:
            gateway, self._gateway = self._gateway, None
        if gateway is not None:
            gateway.close()

    def close(self) -> None:
        """Let go of everything, once it is disconnected."""
        self._inbox.close()
