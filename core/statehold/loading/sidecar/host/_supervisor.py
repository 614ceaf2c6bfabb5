from __future__ import annotations

import heapq
import itertools
import logging
import selectors
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from statehold.sdk import FreedError

Ready = Callable[[], object]


class Supervisor:
    """One thread that watches descriptors and does things later; nothing it does may wait.

    It lives as long as the host, because the kernel ends a process when the *thread* that started it ends.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)  # noqa: FBT003 - a flag of the socket
        self._wake.setblocking(False)  # noqa: FBT003 - a flag of the socket
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._lock = threading.Lock()
        self._todo: list[Callable[[], None]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._closed = self._over = False
        self._thread = threading.Thread(target=self._run, name="statehold-sidecars", daemon=True)
        self._thread.start()

    def do(self, action: Callable[[], None]) -> None:
        """Run *action* on the thread, soon; FreedError if it has ended."""
        with self._lock:
            if self._over:
                raise FreedError("the sidecars of this host have been closed")
            self._todo.append(action)
        with suppress(OSError):
            self._wake.send(b"x")

    def call(self, action: Callable[[], Any]) -> Any:
        """Run *action* on the thread, wait for it, and return what it returns."""
        if threading.current_thread() is self._thread:
            return action()
        done = threading.Event()
        outcome: list[tuple[Any, BaseException | None]] = []

        def run() -> None:
            try:
                outcome.append((action(), None))
            except BaseException as error:  # noqa: BLE001 - raised again on the caller's thread
                outcome.append((None, error))
            done.set()

        self.do(run)
        done.wait()
        result, error = outcome.pop()
        if error is not None:
            raise error
        return result

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run *action* on the thread when the monotonic clock shows *when*."""
        with self._lock:
            heapq.heappush(self._later, (when, next(self._order), action))
        with suppress(OSError):
            self._wake.send(b"x")

    def watch(self, descriptor: Any, ready: Ready) -> None:
        """Call *ready* whenever there is something to read from *descriptor*; on this thread only."""
        self.forget(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def forget(self, descriptor: Any) -> None:
        """Watch *descriptor* no longer; on this thread only."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(descriptor)

    def close(self) -> None:
        """End the thread, and wait for it."""
        self.do(self._stop)
        self._thread.join()
        self._selector.close()
        self._woken.close()
        self._wake.close()

    def _stop(self) -> None:
        self._closed = True

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                wait = max(0.0, self._later[0][0] - monotonic()) if self._later else None
                wait = 0.0 if self._todo else wait
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    with suppress(BlockingIOError):
                        self._woken.recv(4096)
                else:
                    self._safely(key.data)
            self._due()
        with self._lock:
            self._over = True
        self._due()
        # Of processes that were being started meanwhile.
        for key in tuple(self._selector.get_map().values()):
            if key.data is not None and isinstance(key.fileobj, socket.socket):
                key.fileobj.close()

    def _due(self) -> None:
        with self._lock:
            todo, self._todo = self._todo, []
            now = monotonic()
            while self._later and self._later[0][0] <= now:
                todo.append(heapq.heappop(self._later)[2])
        for action in todo:
            self._safely(action)

    def _safely(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:
            self._logger.exception("watching sidecars: an error in Statehold itself")


def kill(pidfd: int) -> None:
    """End the process, if it still runs."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
