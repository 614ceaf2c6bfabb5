from __future__ import annotations

import json
import os
import select
import shlex
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from statehold_aos.launcher._processes._child_runner import CHILD, message_of
from statehold_aos.launcher._processes._runner import Ended, Event, Failed, Spec, Started
from statehold_aos.launcher._processes._systemctl import UNITS, remove, systemctl

#: The order to end it and give everything back.
_CLOSE: Final = "close"


class UnitProcess:
    """A service that is a unit of systemd; it outlives a host that is killed, until the next one.

    systemd may take its time, so it is asked by a thread of the unit, and nobody waits for that.

    Args:
        unit: its name.
        spec: what it runs.
        files: where it writes until that is read, without the end of their names.
        before: the thread of the process before that had the name.

    """

    def __init__(self, unit: str, spec: Spec, files: Path, before: threading.Thread | None) -> None:
        self._unit: Final = unit
        self._spec: Final = spec
        self._pipe: Final = Path(f"{files}.output")
        self._ending: Final = Path(f"{files}.ended")
        self._file: Final = Path(f"{files}.json")
        self.files: Final = (self._pipe, self._ending, self._file)
        for path in self.files:
            path.unlink(missing_ok=True)
        os.mkfifo(self._pipe, 0o600)
        # To be read and written: it has no end while the unit is not there yet.
        self.output: Final = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.pid: int | None = None
        self.is_closed = False
        self._before = before
        self._lock: Final = threading.Lock()
        self._events: Final[deque[Event]] = deque()
        self._orders: Final[deque[str]] = deque()
        self._bell: Final = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._wake: Final = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.thread: Final = threading.Thread(target=self._run, name=f"aos-{unit}", daemon=True)
        self.thread.start()

    def fileno(self) -> int:
        """Return a descriptor that can be read when `events` has something to tell."""
        return self._bell

    def events(self) -> Sequence[Event]:
        """Return what has happened: the unit is started, or has ended."""
        if self.is_closed:
            return []
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        return [self._events.popleft() for _ in range(len(self._events))]

    def stop(self) -> None:
        """Send SIGTERM to the service."""
        self._order("SIGTERM")

    def kill(self) -> None:
        """End the unit with all its processes."""
        self._order("SIGKILL")

    def close(self) -> None:
        """End it if need be, and give everything back."""
        self._order(_CLOSE)

    def _order(self, order: str) -> None:
        with self._lock:
            if not self.is_closed:
                self.is_closed = order == _CLOSE
                self._orders.append(order)
                os.eventfd_write(self._wake, 1)

    # -- On its thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._before is not None:
            self._before.join()
            self._before = None
        handle = self._started()
        try:
            self._obey(handle)
            with suppress(OSError):
                remove(self._unit)
            for path in self.files:
                path.unlink(missing_ok=True)
        finally:
            with self._lock:  # who has closed it is done with them
                for descriptor in (handle, self.output, self._bell, self._wake):
                    if descriptor >= 0:
                        os.close(descriptor)

    def _started(self) -> int:
        """Start it, and return what can be read when it has ended; -1 where it has not begun."""
        try:
            self._file.touch(0o600)
            self._file.write_text(json.dumps(message_of(self._spec)))
            text = unit_text(self._spec, file=self._file, output=self._pipe, ending=self._ending)
            UNITS.mkdir(parents=True, exist_ok=True)
            (UNITS / self._unit).write_text(text)
        except OSError as error:
            self._tell(Failed(str(error)))
            return -1
        systemctl("daemon-reload")
        done = systemctl("start", self._unit)
        if done.returncode:
            self._tell(Failed(self._reason(done.stderr)))
            return -1
        self.pid = self._main_pid()
        try:
            handle = self._end()
        except OSError as error:  # no more files; it is stopped when this is closed
            self._tell(Failed(str(error)))
            return -1
        self._tell(Started())
        return handle

    def _end(self) -> int:
        """Return what can be read when it has ended."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                return os.pidfd_open(self.pid)
        return os.eventfd(1, os.EFD_CLOEXEC)

    def _obey(self, handle: int) -> None:
        """Do what is wanted until it is closed, and tell when it has ended."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        is_there = handle >= 0
        if is_there:
            poll.register(handle, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if handle in ready:
                is_there = False
                poll.unregister(handle)
                systemctl("stop", self._unit)  # with all that it has started; returns when nothing is left
                self._tell(Ended(self._code()))
            if self._wake in ready:
                os.eventfd_read(self._wake)
            while self._orders:
                order = self._orders.popleft()
                if is_there:
                    systemctl("kill", f"--signal={'SIGKILL' if order == _CLOSE else order}", self._unit)
                if order == _CLOSE:
                    return

    def _tell(self, event: Event) -> None:
        self._events.append(event)
        os.eventfd_write(self._bell, 1)

    def _reason(self, said: str) -> str:
        shown = systemctl("show", "--property=Result", "--property=ExecMainStatus", self._unit).stdout
        return f"{said.strip().partition(chr(10))[0]} ({', '.join(shown.split())})"

    def _main_pid(self) -> int | None:
        said = systemctl("show", "--value", "--property=MainPID", self._unit).stdout.strip()
        return int(said) if said.isdigit() and said != "0" else None

    def _code(self) -> int:
        """Return how it ended, as systemd has noted: `killed TERM`; what is not known counts as killed."""
        with suppress(OSError, ValueError, KeyError):
            kind, _, status = self._ending.read_text().strip().partition(" ")
            return int(status) if kind == "exited" else -signal.Signals[f"SIG{status}"]
        return -signal.SIGKILL


def unit_text(spec: Spec, *, file: Path, output: Path, ending: Path) -> str:
    """Return a unit as it is written for systemd; *file* describes the service, which others may not read."""
    note = f'echo "$EXIT_CODE $EXIT_STATUS" > {shlex.quote(str(ending))}'
    start = (sys.executable, "-I", "-S", CHILD, str(file))
    settings = {
        "Type": "exec",
        "ExecStart": " ".join(_quoted(each).replace("$", "$$") for each in start),
        "ExecStopPost": f"/bin/sh -c {_quoted(note).replace('$', '$$')}",
        "StandardInput": "null",
        "StandardOutput": f"file:{output}".replace("%", "%%"),
        "StandardError": "inherit",
        "KillMode": "control-group",
        "TimeoutStopSec": "5",
        "NoNewPrivileges": "yes",
        "MemoryMax": spec.ram_bytes or None,
        "CPUQuota": f"{spec.cpu_percent}%" if spec.cpu_percent else None,
        "TasksMax": spec.processes or None,
    }
    lines = [f"{name}={value}" for name, value in settings.items() if value is not None]
    return "\n".join(["[Unit]", f"Description=Statehold service {spec.name!r}", "[Service]", *lines, ""])


def _quoted(text: str) -> str:
    """Return a text as a word of a unit."""
    for sign, stands in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("%", "%%")):
        text = text.replace(sign, stands)
    return f'"{text}"'
