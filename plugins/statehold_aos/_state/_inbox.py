from __future__ import annotations

import os
import threading
from collections import deque
from enum import Enum
from typing import Final

from statehold_aos.gateway import ToUnit, UpdateState

#: Messages that may wait, and bytes of states in them.
_MOST: Final = 16_384
_MOST_BYTES: Final = 64 * 2**20


class Link(Enum):
    """What became of the connection."""

    UP = 1
    DOWN = 2


class Inbox:
    """What a gateway has told and nobody has looked at; its descriptor can be read when there is something.

    A connection that has ended tells nothing any more.
    """

    def __init__(self) -> None:
        self._items: Final[deque[ToUnit | Link]] = deque()
        self._lock: Final = threading.Lock()
        self.descriptor: Final = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._open = True
        self._is_rung = False
        self._size = 0

    def connected(self) -> None:
        """Take note of a connection."""
        self._put(Link.UP)

    def disconnected(self) -> None:
        """Take note of its end."""
        self._put(Link.DOWN)

    def received(self, message: ToUnit) -> bool:
        """Take a message of the cloud; False where too many wait already."""
        size = len(message.state) if isinstance(message, UpdateState) else 0
        with self._lock:
            if self._items and (len(self._items) >= _MOST or self._size + size > _MOST_BYTES):
                return False
            self._size += size
            self._add(message)
            return True

    def take(self) -> list[ToUnit | Link]:
        """Return what there is."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._size = 0
            if self._is_rung and self._open:
                self._is_rung = False
                os.eventfd_read(self.descriptor)
            return items

    def wake(self) -> None:
        """Let who waits for the descriptor look."""
        with self._lock:
            self._ring()

    def close(self) -> None:
        """Take nothing any more."""
        with self._lock:
            self._open = False
            os.close(self.descriptor)

    def _put(self, item: Link) -> None:
        with self._lock:
            self._add(item)

    def _add(self, item: ToUnit | Link) -> None:
        if self._open:
            self._items.append(item)
            self._ring()

    def _ring(self) -> None:
        if self._open and not self._is_rung:
            self._is_rung = True
            os.eventfd_write(self.descriptor, 1)
