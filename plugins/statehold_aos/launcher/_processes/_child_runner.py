from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs

from statehold_aos._service_storage._names import folder_name
from statehold_aos.launcher._processes._cgroups import Cgroups
from statehold_aos.launcher._processes._child import KILL, STOP
from statehold_aos.launcher._processes._runner import (
    Ended,
    Event,
    Failed,
    Fallback,
    Spec,
    Started,
)

CHILD: Final = str(Path(__file__).with_name("_child.py"))
_MESSAGE: Final = 1 << 16
#: Seconds that a process which was killed may take to be gone; more only where the kernel is stuck.
_GONE: Final = 10.0


class ChildProcess:
    """A service that ends with the host, however that ends.

    It is the child of a process that only looks after it, and which hears through a socket what is wanted,
    and that the host has ended.
    """

    def __init__(
        self, spec: Spec, *, isolation: str, lock: Path, cgroups: Sequence[Path], lacks: Sequence[str]
    ) -> None:
        self._control: socket.socket
        self._handle = -1
        self._ended = False
        self._cgroups: Final = cgroups
        with ExitStack() as stack:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.callback(self._control.close)
            with theirs:
                self.output, write = os.pipe()
                stack.callback(os.close, self.output)
                try:
                    os.set_blocking(self.output, False)
                    self._child = subprocess.Popen(  # noqa: S603 - our own Python
                        [sys.executable, "-I", "-S", CHILD, str(theirs.fileno())],
                        stdin=subprocess.DEVNULL,
                        stdout=write,
                        stderr=write,
                        pass_fds=[theirs.fileno()],
                        cwd="/",
                        env={"LC_ALL": "C.UTF-8"},
                        start_new_session=True,
                    )
                finally:
                    os.close(write)
            stack.pop_all()
        self._control.setblocking(False)  # noqa: FBT003 - a flag of the socket
        message = {**message_of(spec), "isolation": isolation, "lock": str(lock), "lacks": list(lacks)}
        text = json.dumps({**message, "cgroups": list(map(str, cgroups))}, ensure_ascii=False)
        try:
            self._control.send(text.encode("utf-8", "surrogatepass"))
        except OSError as error:
            self.close()
            why = f"command, arguments and variables cannot be handed over: {error.strerror}"
            raise OSError(error.errno, why) from error

    def fileno(self) -> int:
        """Return a descriptor that can be read when there are events."""
        return self._control.fileno()

    def events(self) -> Sequence[Event]:
        """Return what has happened."""
        return [] if self._ended else list(self._events())

    def _events(self) -> Iterator[Event]:
        while True:
            try:
                data, handles, _, _ = socket.recv_fds(self._control, _MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                data, handles = b"", []
            message: Mapping[str, Any] = json.loads(data) if data else {"is": ""}
            match message["is"]:
                case "init":
                    self._handle = handles[0]
                case "started":
                    yield Started(tuple(message["lacks"]))
                    continue
                case "failed":
                    yield self._over(Failed(message["why"]))
                case "ended":
                    yield self._over(Ended(message["code"]))
                case _:  # it was killed itself, and the kernel has ended what it looked after
                    yield self._over(Ended(-signal.SIGKILL))
            if self._ended:
                return

    def stop(self) -> None:
        """Send SIGTERM to the service."""
        self._tell(STOP)

    def kill(self) -> None:
        """End the service with all that it has started, by who looks after it."""
        self._tell(KILL)

    def close(self) -> None:
        """End it if need be, and give everything back."""
        if self._control.fileno() < 0:
            return
        self._over(None)
        self._control.close()
        os.close(self.output)
        if self._handle >= 0:
            os.close(self._handle)

    def _over(self, event: Any) -> Any:
        """Wait until there is nothing left of it; what does not end is killed."""
        self._ended = True
        if event is None:
            with suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
        for end in (self._nothing, self._kill_first, self._child.kill):
            end()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_GONE)
                break
        for folder in self._cgroups:
            with suppress(OSError):
                folder.rmdir()
        return event

    def _nothing(self) -> None:
        """Do nothing: it ends by itself, when its socket does."""

    def _kill_first(self) -> None:
        """Kill the first of its processes, with which the kernel ends all others."""
        if self._handle >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def _tell(self, message: bytes) -> None:
        with suppress(OSError):  # it has ended, and its events say so
            self._control.send(message)

    @property
    def pid(self) -> int | None:
        """The pid of the service, for people: nobody is ever signalled by it."""
        if self._handle < 0:
            return None
        try:
            info = Path(f"/proc/self/fdinfo/{self._handle}").read_text()
            (first,) = [int(line.split()[1]) for line in info.splitlines() if line.startswith("Pid:")]
            return int(Path(f"/proc/{first}/task/{first}/children").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None


@attrs.define(eq=False)
class ChildRunner:
    """Runs services as children of the host.

    Attributes:
        folder: for locks; the processes of one folder are known again by the next host.
        isolation: `available`: own mounts and processes as far as the machine permits; `required`; `off`.

    """

    folder: Path
    isolation: str = "available"
    name: ClassVar[str] = "supervised child"
    _cgroups: Cgroups = attrs.field(
        default=attrs.Factory(lambda self: Cgroups.of(str(self.folder)), takes_self=True), init=False
    )

    def start(self, spec: Spec) -> ChildProcess:
        """Start a service."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cgroups, lacks = self._cgroups.make(spec)
        try:
            return ChildProcess(
                spec,
                isolation=self.isolation,
                lock=self.folder / f"{folder_name(spec.name)}.lock",
                cgroups=cgroups,
                lacks=lacks,
            )
        except BaseException:
            for folder in cgroups:
                with suppress(OSError):
                    folder.rmdir()
            raise

    def clean(self) -> Sequence[str]:
        """Wait until what an earlier host has started is gone: it ends by itself, and is not killed here."""
        left = [lock.stem for lock in sorted(self.folder.glob("*.lock")) if _was_held(lock)]
        self._cgroups.clean()
        return left

    def close(self) -> None:
        """Remove what limits were kept in."""
        self._cgroups.clean()


def _was_held(lock: Path) -> bool:
    """Wait until nobody holds a lock, and say whether somebody did."""
    with lock.open("rb") as file:
        until = time.monotonic() + _GONE
        held = False
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held = True
                time.sleep(0.02)
            else:
                return held
        return True


def _plain(given: Spec | Fallback) -> dict[str, Any]:
    return {"command": list(given.command), "env": dict(given.env), "folder": given.folder}


def message_of(spec: Spec) -> dict[str, Any]:
    """Return what `_child.py` has to know of a service."""
    return {
        **_plain(spec),
        "fallback": None if spec.fallback is None else _plain(spec.fallback),
        "uid": spec.uid,
        "gid": spec.uid if spec.gid is None else spec.gid,
        "binds": [[str(bind.source), bind.target, bind.read_only] for bind in spec.binds],
        "tmp_bytes": spec.tmp_bytes,
        "files": spec.files,
    }
