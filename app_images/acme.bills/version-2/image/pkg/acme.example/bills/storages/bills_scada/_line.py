"""The line to the kitchens. A simulation: a real one would speak Modbus or OPC UA here."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from statehold.sdk import Secret, StorageError

Point = tuple[int, str, str]
"""A workspace, a device in its kitchen, and a point of the device."""

Reading = tuple[int, float]
"""When, in milliseconds since 1970, and how many degrees."""


class Line:
    """Points of devices, each with its last three readings."""

    def __init__(self, url: str, password: Secret, readings: Mapping[Point, tuple[Reading, ...]]) -> None:
        if not password.reveal():
            raise StorageError(f"the kitchens at {url} want a password", hint="Set the secret Scada_Password")
        self._lock = threading.Lock()
        self._readings = dict(readings)

    @property
    def readings(self) -> dict[Point, tuple[Reading, ...]]:
        """The last readings of every point, oldest first."""
        with self._lock:
            return dict(self._readings)

    def set(self, point: Point, reading: Reading) -> None:
        """Set a point of a device."""
        with self._lock:
            self._readings[point] = (*self._readings.get(point, ()), reading)[-3:]

    def read(self, point: Point) -> Reading | None:
        """Return the mean of the last readings: one alone jumped about too much in version 1."""
        known = self._readings.get(point)
        return (known[-1][0], sum(degrees for _, degrees in known) / len(known)) if known else None

    def close(self) -> None:
        """Hang up."""
        self._readings.clear()
