from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

import msgspec

from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar.child._zygote import EXITED, FAILED, FORKED
from statehold.loading.sidecar.host._output import Output
from statehold.loading.sidecar.host._supervisor import Supervisor, kill

_MESSAGE: Final = 64 * 1024
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TZ")
#: Where libraries find each other's functions is looked up by the first process, not by each that it forks.
_BOUND: Final = {"LD_BIND_NOW": "1"}
_START: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[3])
from statehold.loading.sidecar.child._zygote import main
main(int(sys.argv[1]), int(sys.argv[2]), sandboxed=sys.argv[4] == "sandboxed", shares=sys.argv[5] == "shared")
"""


class Forked:
    """A process that was forked.

    Attributes:
        pidfd: its descriptor, which is the caller's to close.
        status: once it has ended, its exit code, or below 0 the signal; None where nobody knows it.

    """

    def __init__(self, pidfd: int) -> None:
        self.pidfd = pidfd
        self.status: int | None = None
        self._known = False
        self._then: Callable[[], None] | None = None

    def when_known(self, then: Callable[[], None]) -> None:
        """Call *then* once the status is known, or will never be."""
        if self._known:
            then()
        self._then = then

    def know(self, status: int | None) -> None:
        """Take the status."""
        self.status, self._known = status, True
        if self._then is not None:
            self._then()


class Zygote:
    """The process that forks all sidecars of a host; all of its methods but `fork` run on the supervisor."""

    def __init__(
        self,
        supervisor: Supervisor,
        logger: logging.Logger,
        lost: Callable[[Zygote], None],
        *,
        sandboxed: bool,
        shares: bool,
    ) -> None:
        self._supervisor = supervisor
        self._lost = lost
        self._waiting: dict[int, Future[Forked]] = {}
        self._forked: dict[int, Forked] = {}
        self._lock = threading.Lock()
        self._number = 0
        self.dead = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        modes = "sandboxed" if sandboxed else "open", "shared" if shares else "own"
        command = (sys.executable, "-I", "-B", "-c", _START)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own Python
                [*command, str(theirs.fileno()), str(os.getpid()), json.dumps(sys.path), *modes],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in _KEPT if name in os.environ} | _BOUND,
                cwd="/",
                pass_fds=(theirs.fileno(),),
                # Not reached by Ctrl-C, and yet of the same session: Linux shares out the cores by session,
                # and changing from one to another takes longer.
                process_group=0,
            )
        self.pidfd = os.pidfd_open(self._process.pid)
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        self._output = Output(supervisor, lambda _, level, text: logger.log(level, "%s", text), lambda: None)
        self._output.listen(None, {os.dup(self._process.stderr.fileno()): logging.WARNING})
        self._process.stderr.close()
        self.ready: Future[Forked] = Future()
        self._waiting[0] = self.ready
        supervisor.watch(self._control, self._heard)

    def fork(self, job: object, fds: list[int]) -> Future[Forked]:
        """Ask for a process that does *job*, with those descriptors."""
        future: Future[Forked] = Future()
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = future
        try:
            socket.send_fds(self._control, [msgspec.msgpack.encode([number, job])], fds)
        except OSError as error:
            self._waiting.pop(number, None)
            with suppress(Exception):
                future.set_exception(_gone(f"the process that starts sidecars is gone: {error}"))
        return future

    def _heard(self) -> None:
        try:
            message, fds, *_ = socket.recv_fds(self._control, _MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            message, fds = b"", []
        if not message:
            self.end()
            return
        kind, number, *rest = msgspec.msgpack.decode(message)
        if kind == FORKED:
            forked = Forked(fds[0] if fds else -1)
            if number:
                self._forked[number] = forked
            self._waiting.pop(number).set_result(forked)
        elif kind == FAILED:
            self._waiting.pop(number).set_exception(_gone(rest[0]))
        elif kind == EXITED:
            forked = self._forked.pop(number)
            forked.know(rest[0])

    def end(self) -> None:
        """End it, and with it every process that it forked."""
        if self.dead:
            return
        self.dead = True
        self._supervisor.forget(self._control)
        self._control.close()
        kill(self.pidfd)
        os.close(self.pidfd)
        self._process.wait()
        self._output.close()
        text = "the process that starts sidecars ended" + "".join(f"\n  {line}" for line in self._output.last)
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(_gone(text))
        for forked in self._forked.values():
            forked.know(None)
        self._forked.clear()
        self._lost(self)


def let_go(asked: Future[Forked]) -> None:
    """End a process that was asked for, and that nobody waits for any more."""
    if asked.exception() is None:
        forked = asked.result()
        kill(forked.pidfd)
        os.close(forked.pidfd)


def _gone(text: str) -> SidecarError:
    return SidecarError(text, reason=Reason.START)
