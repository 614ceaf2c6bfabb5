from __future__ import annotations

import threading
from typing import Final

from statehold_aos.gateway._cloud import Cloud
from statehold_aos.gateway._gateway import Unit
from statehold_aos.gateway._messages import ClaimId, ToCloud


class InProcess:
    """A gateway to a cloud in the same process; nothing is lost on the way.

    Args:
        cloud: the other side.

    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud: Final = cloud
        self._lock: Final = threading.Lock()
        self._unit: Unit | None = None

    def connect(self, unit: Unit) -> None:
        """Connect at once."""
        with self._lock:
            self._unit = unit
        unit.connected()

    def send(self, message: ToCloud, *, more: bool = False) -> None:  # noqa: ARG002 - nothing waits
        """Let the cloud have *message*, and the unit its answers."""
        with self._lock:
            unit = self._unit
        if unit is not None:
            for answer in self.cloud.received(message):
                unit.received(answer)

    def push(self, claim: ClaimId, state: bytes) -> None:
        """Give a claim a state from the cloud's side."""
        update = self.cloud.push(claim, state)
        with self._lock:
            unit = self._unit
        if unit is not None:
            unit.received(update)

    def close(self) -> None:
        """Forget the unit."""
        with self._lock:
            self._unit = None
