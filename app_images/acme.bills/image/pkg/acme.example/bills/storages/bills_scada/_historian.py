"""The historian: what the kitchens' devices reported. A simulation; a real one speaks OPC UA."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

Point = tuple[int, str, str]
"""A workspace, a device in its kitchen, and a point of the device."""

Reading = tuple[int, float]
"""When, in milliseconds since 1970, and how many degrees."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (
    kitchen INTEGER, device TEXT, point TEXT, at INTEGER, degrees REAL
);
CREATE INDEX IF NOT EXISTS by_point ON readings (kitchen, device, point);
"""

# A single reading.
_SMOOTHED_OVER = 1


class Historian:
    """Readings of points, in a file that any number of threads and versions of this plugin share."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, timeout=10)
        self._database.executescript(_SCHEMA)

    def read(self, point: Point) -> Reading | None:
        """Return what a point reads, None where nothing is known of it."""
        with self._lock:
            known = self._database.execute(
                "SELECT at, degrees FROM readings WHERE kitchen = ? AND device = ? AND point = ?"
                " ORDER BY rowid DESC LIMIT ?",
                (*point, _SMOOTHED_OVER),
            ).fetchall()
        return (known[0][0], sum(degrees for _, degrees in known) / len(known)) if known else None

    def report(self, readings: Iterable[tuple[Point, Reading]]) -> None:
        """Add readings, all of them or none."""
        rows = [(*point, *reading) for point, reading in readings]
        with self._lock, self._database:
            self._database.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()
