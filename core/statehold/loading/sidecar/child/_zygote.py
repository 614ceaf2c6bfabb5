from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import traceback
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from statehold.loading.sandbox import Prepared, prepare

if TYPE_CHECKING:
    from statehold.loading.sidecar.child._image import Image

#: What every sidecar needs, imported once and shared by all of them.
_PRELOADED: Final = (
    "concurrent.futures",
    "dataclasses",
    "datetime",
    "decimal",
    "faulthandler",
    "json",
    "queue",
    "random",
    "sqlite3",
    "statehold.loading._catalog",
    "statehold.loading._check",
    "statehold.loading._plugin",
    "statehold.loading._shims",
    "statehold.loading.sandbox",
    "statehold.loading.sidecar.child._start",
    "tempfile",
    "uuid",
    "zoneinfo",
)
_PDEATHSIG: Final = 1
_NEWPID: Final = 0x20000000
_MESSAGE: Final = 256 * 1024

FORKED: Final = 1
EXITED: Final = 2
FAILED: Final = 3


def main(descriptor: int, parent: int, *, sandboxed: bool, shares: bool) -> None:
    """Fork a process for each request that comes from the socket *descriptor*, until it is closed.

    With *shares*, they give back memory that is as in this process.
    """
    die_with_parent(parent)
    with suppress(AttributeError):  # of another C library
        import_module("statehold.loading.sidecar.child._memory").share_one_heap()
    os.environ.pop("LD_BIND_NOW", None)
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    prepared = prepare(pid_namespace=True) if sandboxed else Prepared(_own_processes())
    if "pid" in prepared.namespaces:
        _become_first(control)
        die_with_parent(0)
    for name in _PRELOADED:
        import_module(name)
    warming = import_module("statehold.loading.sidecar.child._warming").Warming()
    warming.run(threads=True)
    _Zygote(control, prepared, warming).run(shares=shares)


def die_with_parent(parent: int | None = None) -> None:
    """Let the kernel end this process when its parent *parent* ends, however that happens."""
    ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def _own_processes() -> frozenset[str]:
    """Let the next child be the first of a namespace of its own, which ends with all that is in it."""
    if os.geteuid() or ctypes.CDLL(None, use_errno=True).unshare(_NEWPID):
        return frozenset()
    return frozenset({"pid"})


def _become_first(control: socket.socket) -> None:
    """Go on in a child, which is the first of its namespace; this process only waits for it."""
    pid = os.fork()
    if pid:
        control.close()
        os.closerange(0, 3)
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0x7F)


class _Zygote:
    """Forks; one child is always there in advance, which has touched already what its start will touch."""

    def __init__(self, control: socket.socket, prepared: Prepared, warming: Any) -> None:
        self._control = control
        self._prepared = prepared
        self._warming = warming
        self._spare: tuple[int, socket.socket] | None = None
        self._numbers: dict[int, int] = {}
        self._image: Image | None = None

    def run(self, *, shares: bool) -> None:
        woken, wake = socket.socketpair()
        woken.setblocking(False)  # noqa: FBT003 - a flag of the socket
        wake.setblocking(False)  # noqa: FBT003 - a flag of the socket
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        if shares:
            try:
                self._image = import_module("statehold.loading.sidecar.child._image").Image.taken()
            except AttributeError:
                pass  # of another C library
            except Exception:  # noqa: BLE001 - the host reads it; nothing is shared then
                traceback.print_exc()
        gc.collect()
        gc.freeze()
        self._fork()
        self._say([FORKED, 0])
        while True:
            ready = dict(poll.poll())
            if woken.fileno() in ready:
                with suppress(BlockingIOError):
                    woken.recv(4096)
                self._reap()
            if self._control.fileno() in ready:
                self._request()

    def _request(self) -> None:
        try:
            message, fds, *_ = socket.recv_fds(self._control, _MESSAGE, 8, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            message, fds = b"", []
        if not message:
            os._exit(0)
        number, _ = msgspec.msgpack.decode(message)
        try:
            pid = self._give(message, fds)
        except OSError as error:
            self._say([FAILED, number, f"no process can be forked: {error.strerror}"])
            return
        finally:
            for descriptor in fds:
                os.close(descriptor)
        self._numbers[pid] = number
        # Before it is waited for, a pid cannot become another's.
        pidfd = os.pidfd_open(pid)
        self._say([FORKED, number], [pidfd])
        os.close(pidfd)
        with suppress(OSError):
            self._fork()

    def _give(self, message: bytes, fds: list[int]) -> int:
        """Let the child that is there do the job, and return its pid; where it has ended, another one."""
        while True:
            fresh = self._spare is None
            pid, channel = self._spare or self._fork()
            self._spare = None
            with channel:
                try:
                    socket.send_fds(channel, [message], fds)
                except OSError:
                    if fresh:
                        raise
                else:
                    return pid

    def _fork(self) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if not pid:
                ours.close()
                self._become(theirs)
        self._spare = pid, ours
        return self._spare

    def _become(self, channel: socket.socket) -> NoReturn:
        try:
            self._control.close()
            if self._spare is not None:
                self._spare[1].close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            die_with_parent()
            start = import_module("statehold.loading.sidecar.child._start").start
            self._warming.run(threads=False)
            message, fds, *_ = socket.recv_fds(channel, _MESSAGE, 8, socket.MSG_CMSG_CLOEXEC)
            if message:
                _, job = msgspec.msgpack.decode(message)
                start(job, fds, self._prepared, self._image)
        except BaseException:  # noqa: BLE001 - the host reads it
            traceback.print_exc()
        finally:
            os._exit(1)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if self._spare is not None and self._spare[0] == pid:
                self._spare[1].close()
                self._spare = None
            number = self._numbers.pop(pid, 0)
            if number:
                self._say([EXITED, number, os.waitstatus_to_exitcode(status)])

    def _say(self, message: list[Any], fds: list[int] | None = None) -> None:
        try:
            socket.send_fds(self._control, [msgspec.msgpack.encode(message)], fds or [])
        except OSError:
            os._exit(0)
