"""A unit that takes note of what a gateway tells it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0


class Hearing:
    """Hears, and lets tests wait for what it is to hear."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.refusing = False
        self.changed = threading.Condition()

    def connected(self) -> None:
        self.put("connected")

    def disconnected(self) -> None:
        self.put("disconnected")

    def received(self, message: Any) -> bool:
        if self.refusing:
            return False
        self.put(message)
        return True

    def put(self, what: Any) -> None:
        with self.changed:
            self.heard.append(what)
            self.changed.notify_all()

    def messages(self) -> list[Any]:
        return [one for one in list(self.heard) if not isinstance(one, str)]

    def count(self, what: Any) -> int:
        return list(self.heard).count(what)

    def wait_for(self, check: Callable[[], Any]) -> Any:
        with self.changed:
            assert self.changed.wait_for(check, PATIENCE), self.heard[-5:]
            return check()

    def wait_connected(self, times: int = 1) -> None:
        self.wait_for(lambda: self.count("connected") >= times)


def wait_until(happened: Callable[[], Any], said: Callable[[], Any] = lambda: None) -> Any:
    """Wait for what nobody tells."""
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while not (found := happened()):
        assert time.monotonic() < end, said()
        pause.wait(0.01)
    return found
