"""Connects for processes that may not do so themselves."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

Resolve = Callable[[str], Sequence[str]]


class Broker:
    """Opens the connections of sandboxed processes to the hosts that they are granted; lives in the host.

    A process in the sandbox has no network. Its `connect` stops in the kernel; the broker takes a copy of the
    address, connects a socket of the host, if that address is granted, and puts it in the place of the one that
    the process has. One thread for each process that is granted anything.
    """

    def __init__(self, *, logger: logging.Logger, resolve: Resolve | None = None) -> None:
        """Log refusals to *logger*; *resolve* returns the addresses of a name, by default as the host does."""

    def serve(self, channel: socket.socket, network: Sequence[str], *, name: str) -> None:
        """Serve the process whose `enter` gets the other end of *channel*, until it ends.

        *channel* is one end of a UNIX socket pair; it is closed here. *network* are the grants of its policy, *name*
        stands in log records.
        """

    def close(self) -> None:
        """Serve nobody any more: what is connected stays so, what connects now is refused."""

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
