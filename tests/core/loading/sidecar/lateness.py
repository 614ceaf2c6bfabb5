"""How late this machine lets a process come that only sleeps."""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

# The clock is the machine's: its times are those of every process.
_SLEEPER = """
import array, select, sys, time
while True:
    due = time.monotonic() + 0.005
    if select.select([0], [], [], 0.005)[0]:
        break
    woken = time.monotonic()
    if woken - due > 0.001:
        array.array("d", [due, woken]).tofile(sys.stdout.buffer)
"""


@attrs.define
class Lateness:
    """When a process of its own was to wake, and when it did; known once it has ended."""

    spans: list[tuple[float, float]] = attrs.field(factory=list)

    def during(self, begun: float, ended: float) -> float:
        """Return by how much it was late at most, of what meets this time."""
        return max((woken - due for due, woken in self.spans if due <= ended and woken >= begun), default=0.0)


@contextmanager
def measured(folder: Path) -> Iterator[Lateness]:
    """Let a process sleep meanwhile; behind that its lateness can be asked for."""
    lateness, file = Lateness(), folder / "lateness"
    with file.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-IS", "-c", _SLEEPER], stdin=subprocess.PIPE, stdout=told
        )
        try:
            yield lateness
        finally:
            process.communicate()
    times = array("d", file.read_bytes())
    lateness.spans += zip(times[::2], times[1::2], strict=True)
