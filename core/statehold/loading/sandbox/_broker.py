"""Connects for processes that may not do so themselves."""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from statehold.loading.sandbox._connections import Connections
from statehold.loading.sandbox._target import Resolve, Targets, resolve

_JOIN_SECONDS = 5.0


class Broker:
    """Opens the connections of sandboxed processes to the hosts that they are granted; lives in the host.

    A process in the sandbox has no network. Its `connect` stops in the kernel; the broker takes a copy of the
    address, connects a socket of the host, if that address is granted, and puts it in the place of the one
    that the process has. One thread for each process that is granted anything.
    """

    def __init__(self, *, logger: logging.Logger, resolve: Resolve = resolve) -> None:
        """Log refusals to *logger*; *resolve* returns the addresses of a name."""
        self._logger = logger
        self._resolve = resolve
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stop = os.eventfd(0)
        self._closed = False

    def serve(self, channel: socket.socket, network: Sequence[str], *, name: str) -> None:
        """Serve the process whose `enter` gets the other end of *channel*, until it ends.

        *channel* is one end of a UNIX socket pair; it is closed here. *network* are the grants of its policy,
        *name* stands in log records.
        """
        targets = Targets(network, self._resolve)
        thread = threading.Thread(
            target=self._run, args=(channel, targets, name), name=f"statehold-network-{name}", daemon=True
        )
        with self._lock:
            if self._closed:
                channel.close()
                return
            self._threads.add(thread)
            thread.start()

    def close(self) -> None:
        """Serve nobody any more: what is connected stays so, what connects now is refused."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = list(self._threads)
        os.eventfd_write(self._stop, 1)
        for thread in threads:
            thread.join(_JOIN_SECONDS)
        if not any(thread.is_alive() for thread in threads):
            os.close(self._stop)

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _run(self, channel: socket.socket, targets: Targets, name: str) -> None:
        try:
            listener = self._receive(channel)
            if listener is not None:
                try:
                    Connections(listener, targets, name=name, logger=self._logger).run(self._stop)
                finally:
                    os.close(listener)
        except OSError:
            self._logger.exception("%s: nobody connects for it any more", name)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _receive(self, channel: socket.socket) -> int | None:
        """Return what the process sends when it has entered; None if it ends, or this does, before."""
        with channel:
            poll = select.poll()
            poll.register(channel, select.POLLIN)
            poll.register(self._stop, select.POLLIN)
            if any(descriptor == self._stop for descriptor, _ in poll.poll()):
                return None
            _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
            return descriptors[0] if descriptors else None
