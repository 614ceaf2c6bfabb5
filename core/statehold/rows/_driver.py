from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import Final, Generic, Self, TypeVar

from statehold.rows._errors import RowStoreError, StoreBusyError, StoreClosedError
from statehold.rows._store import BaseStore

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)

Store = TypeVar("Store", bound=BaseStore)


class BaseDriver(ABC, Generic[Store]):
    """What all drivers have in common: which stores are open, and closing them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._opened: dict[Store, str] = {}
        self._is_closed = False

    def create(self, name: str) -> Store:
        """Make a store and open it; raise `StoreExistsError` if there is one of this name."""
        with self._lock:
            self._check(name)
            self._make(name)
            return self.open(name)

    def open(self, name: str) -> Store:
        """Open a store; raise `StoreMissingError` if there is none of this name."""
        with self._lock:
            self._check(name)
            store = self._open(name)
            self._opened[store] = name
            store.on_close(lambda: self._forget(store))
            return store

    def names(self) -> list[str]:
        """Return the names of all stores, sorted."""
        with self._lock:
            self._check_open()
            return sorted(self._names())

    def remove(self, name: str) -> None:
        """Remove a store with all its rows."""
        with self._lock:
            self._check(name)
            if count := Counter(self._opened.values())[name]:
                raise StoreBusyError(
                    f"store {name!r} cannot be removed: it is open {count} times", hint="close it first"
                )
            self._remove(name)

    def close(self) -> None:
        """Close every store that is still open, and let go of everything; a second time does nothing."""
        with self._lock:
            self._is_closed = True
            opened = list(self._opened)
        # Without the lock: a store waits for calls in flight, and those may use the driver.
        for store in opened:
            store.close()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self, store: Store) -> None:
        with self._lock:
            self._opened.pop(store, None)

    def _check(self, name: str) -> None:
        self._check_open()
        if not _NAME.fullmatch(name):
            raise RowStoreError(
                f"expected a store name of up to 100 ASCII letters, digits and _.- that does not begin with"
                f" . or -, got {name!r}"
            )

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreClosedError(f"this {type(self).__name__} has been closed")

    @abstractmethod
    def _make(self, name: str) -> None:
        """Make a store, whole or not at all."""

    @abstractmethod
    def _open(self, name: str) -> Store:
        """Open a store."""

    @abstractmethod
    def _names(self) -> list[str]:
        """Return the names of all stores."""

    @abstractmethod
    def _remove(self, name: str) -> None:
        """Remove a store that is not open here."""

    def _close(self) -> None:
        """Let go of what the driver itself holds."""
