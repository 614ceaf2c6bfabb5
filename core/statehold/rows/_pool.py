from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")


class _Word:
    """What is said through the queue to those who wait for an item."""


#: The pool has been closed; stays in the queue for ever.
_CLOSED: Final = _Word()
#: An item has been dropped: there is room to make one.
_AGAIN: Final = _Word()


class Pool(Generic[Item]):
    """Lends items, makes them as they are needed, up to *size*, and closes them when all are back.

    Args:
        make: makes an item; what it raises reaches who asked.
        close: closes an item.
        size: how many items there are at most; who asks for one more waits.
        closed: makes the error to raise after `close`.

    """

    def __init__(
        self,
        make: Callable[[], Item],
        close: Callable[[Item], None],
        *,
        size: int,
        closed: Callable[[], Exception],
    ) -> None:
        self._make = make
        self._close_item = close
        self._size = size
        self._closed = closed
        self._lock = threading.Lock()
        self._idle: SimpleQueue[Item | _Word] = SimpleQueue()
        self._made = 0
        self._is_closed = False
        #: Takes an item back.
        self.give: Callable[[Item], None] = self._idle.put

    def take(self) -> Item:
        """Return an item that nobody else has; `give` or `drop` it."""
        if self._is_closed:  # or a busy pool would never be empty, and `close` wait for ever
            raise self._closed()
        try:
            item = self._idle.get_nowait()
        except Empty:
            item = self._more()
        while isinstance(item, _Word):
            if item is _CLOSED:
                self._idle.put(item)
                raise self._closed()
            item = self._more()
        return item

    def drop(self, item: Item) -> None:
        """Close an item that is broken, instead of giving it back."""
        try:
            self._close_item(item)
        finally:
            self._less()

    def check_open(self) -> None:
        """Raise after `close`."""
        if self._is_closed:
            raise self._closed()

    def close(self) -> None:
        """Wait until all items are back, and close them; a second time does nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        while self._made:
            item = self._idle.get()
            if not isinstance(item, _Word):
                self.drop(item)
        self._idle.put(_CLOSED)

    def _more(self) -> Item | _Word:
        with self._lock:
            room = self._made < self._size and not self._is_closed
            self._made += room
        if not room:
            return self._idle.get()
        try:
            return self._make()
        except BaseException:
            self._less()
            raise

    def _less(self) -> None:
        with self._lock:
            self._made -= 1
        self._idle.put(_AGAIN)
