from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection

Result = TypeVar("Result")

#: Workspace and chain.
Counter: TypeAlias = tuple[int, str]
#: Time in milliseconds since 1970, and bytes.
Count: TypeAlias = tuple[int | None, int | None]


class Runner(Protocol):
    """Runs what reads and what writes: each in a transaction of its own, or all in one."""

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what *work* returns."""

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Return what *work* returns, once its changes are committed."""

    def count(self, counts: dict[Counter, Count]) -> None:
        """Set traffic counters."""

    def counted(self, counter: Counter) -> Count | None:
        """Return a traffic counter that is not yet written."""

    def flush(self) -> None:
        """Write the traffic counters."""
