from __future__ import annotations

import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from statehold_zdb.engine import ZdbError, hookimpl

_KEPT_SECONDS: Final = 300.0


@attrs.define(eq=False)
class Call:
    """One run of the executable.

    Attributes:
        event: the hook's name.
        arguments: what came after it.
        pid: the process; 0 if none could be started.
        created, finished: when, in seconds since 1970; 0 while it runs.
        status: how it ended; -1 while it runs.

    """

    event: str
    arguments: Sequence[str]
    pid: int = 0
    created: float = attrs.field(factory=time.time)
    finished: float = 0.0
    status: int = -1


@attrs.define(eq=False)
class Executable:
    """Tells a program of each event, as the original does: `PROGRAM event instance arguments...`.

    Attributes:
        program: the program.
        instance: what the server is known by: `tcp://address:port` or `unix://path`.
        limit: the seconds after which a program that brings a segment is ended.

    """

    program: Path
    instance: str
    limit: float = 3600.0
    _calls: deque[Call] = attrs.field(factory=deque, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def calls(self) -> list[Call]:
        """Return the calls of the last 300 seconds."""
        with self._lock:
            self._drop_old()
            return list(self._calls)

    @hookimpl
    def zdb_namespaces_init(self, index: str, data: str) -> None:
        """Run it before anything is read."""
        self._run("namespaces-init", index, data)

    @hookimpl
    def zdb_ready(self) -> None:
        """Run it once all is open; ZdbError if it fails."""
        status = self._run("ready")
        if status:
            raise ZdbError(f"the hook {self.program} ended with {status} at ready: the start is given up")

    @hookimpl
    def zdb_jump_index(self, namespace: str, old: str, new: str, dirty: Sequence[int]) -> bool:  # noqa: ARG002
        """Run it for an index file that is whole; True if it took the dirty ones along."""
        return self._run("jump-index", old, new, " ".join(map(str, dirty))) == 0

    @hookimpl
    def zdb_jump_data(self, namespace: str, old: str, new: str) -> None:  # noqa: ARG002
        """Run it for data that are whole."""
        self._run("jump-data", old, new)

    @hookimpl
    def zdb_missing_data(self, namespace: str, path: str) -> bool:  # noqa: ARG002
        """Run it for a segment that is not there; True if it brought it."""
        return self._run("missing-data", path, limit=self.limit) == 0

    @hookimpl
    def zdb_namespace_created(self, namespace: str) -> None:
        """Run it for a namespace that was made."""
        self._run("namespace-created", namespace)

    @hookimpl
    def zdb_namespace_updated(self, namespace: str) -> None:
        """Run it for a namespace whose settings have changed."""
        self._run("namespace-updated", namespace)

    @hookimpl
    def zdb_namespace_deleted(self, namespace: str) -> None:
        """Run it for a namespace that is gone."""
        self._run("namespace-deleted", namespace)

    @hookimpl
    def zdb_namespace_reloaded(self, namespace: str) -> None:
        """Run it for a namespace that was read anew."""
        self._run("namespace-reloaded", namespace)

    @hookimpl
    def zdb_close(self) -> None:
        """Run it before all is closed."""
        self._run("close")

    @hookimpl
    def zdb_namespace_closing(self, namespace: str, index: str, data: str, dirty: Sequence[int]) -> None:
        """Run it for a namespace that is closed."""
        self._run("namespace-closing", namespace, index, data, " ".join(map(str, dirty)))

    @hookimpl
    def zdb_crash(self) -> None:
        """Run it when the process ends by an error."""
        self._run("crash")

    def _run(self, event: str, *arguments: str, limit: float | None = None) -> int:
        call = Call(event, arguments)
        with self._lock:
            self._drop_old()
            self._calls.append(call)
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own program
                [self.program, event, self.instance, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                close_fds=True,
            )
        except OSError:
            call.status, call.finished = 127, time.time()
            return call.status
        call.pid = process.pid
        with process:
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
        call.status, call.finished = status, time.time()
        return status

    def _drop_old(self) -> None:
        while self._calls and 0 < self._calls[0].finished < time.time() - _KEPT_SECONDS:
            self._calls.popleft()
