from __future__ import annotations


class Outcomes:
    """How many calls one partition of a version has answered, and how many of them failed.

    Whoever runs extensions counts: a failure is what the version is to blame for, an exception of its code or
    of a storage, not what a client asked for in vain.

    Attributes:
        calls: all of them.
        failures: those that failed.

    """

    __slots__ = ("calls", "failures")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0

    def add(self, calls: int, failures: int = 0) -> None:
        """Count calls, and how many of them failed."""
        self.calls += calls
        self.failures += failures
