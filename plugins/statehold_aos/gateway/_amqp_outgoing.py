from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Parcel:
    """A message on its way to the broker.

    Attributes:
        key: what it says something about; a newer one of the same key takes its place.
        routing_key: the queue, where the exchange needs to know.

    """

    key: Hashable
    body: bytes = attrs.field(repr=False)
    correlation: str = ""
    routing_key: str = ""


class Outgoing:
    """What waits for the broker: bounded, in order, of each key the newest; for any number of threads.

    Args:
        most: how many messages may wait,
        most_bytes: and how many bytes of them.

    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most: Final = most
        self._most_bytes: Final = most_bytes
        self._parcels: Final[OrderedDict[Hashable, Parcel]] = OrderedDict()
        self._bytes = 0
        self._lock: Final = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._parcels)

    def put(self, parcel: Parcel) -> bool:
        """Let a message wait; False if there is no room for it."""
        with self._lock:
            before = self._parcels.get(parcel.key)
            size = self._bytes + len(parcel.body) - (len(before.body) if before else 0)
            if size > self._most_bytes or (before is None and len(self._parcels) >= self._most):
                return False
            self._parcels[parcel.key] = parcel
            self._bytes = size
            return True

    def put_back(self, parcel: Parcel) -> None:
        """Let a message that did not arrive be the next, unless there is a newer one of its key."""
        with self._lock:
            if parcel.key not in self._parcels:
                self._parcels[parcel.key] = parcel
                self._parcels.move_to_end(parcel.key, last=False)
                self._bytes += len(parcel.body)

    def take(self) -> Parcel | None:
        """Return the next message; None where there is none."""
        with self._lock:
            if not self._parcels:
                return None
            _, parcel = self._parcels.popitem(last=False)
            self._bytes -= len(parcel.body)
            return parcel

    def clear(self) -> None:
        """Forget what waits."""
        with self._lock:
            self._parcels.clear()
            self._bytes = 0
