from __future__ import annotations

import hashlib
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

import attrs

from statehold_aos._service_storage._names import folder_name
from statehold_aos.launcher._processes._child_runner import CHILD, message_of
from statehold_aos.launcher._processes._runner import Ended, Event, Failed, Spec, Started

#: Where units are written that a restart of the machine forgets.
_UNITS: Final = Path("/run/systemd/system")
#: What systemctl may take.
_SECONDS: Final = 60


def why_no_systemd() -> str:
    """Return why services cannot be units of systemd here; "" where they can."""
    if not Path("/run/systemd/system").is_dir():
        return "systemd is not the first process here"
    if os.geteuid():
        return "only root may start units of the system"
    return "" if shutil.which("systemctl") else "there is no systemctl"


class UnitProcess:
    """A service that is a unit of systemd; it outlives a host that is killed, until the next one."""

    def __init__(self, unit: str, spec: Spec, folder: Path) -> None:
        self._unit: Final = unit
        self._pipe: Final = folder / f"{unit}.output"
        self._ending: Final = folder / f"{unit}.ended"
        self._file: Final = folder / f"{unit}.json"
        self._is_over = False
        for path in (self._pipe, self._ending, self._file):
            path.unlink(missing_ok=True)
        os.mkfifo(self._pipe, 0o600)
        # To be read and written: it has no end while the unit is not there yet.
        self.output: Final = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._file.touch(0o600)
        self._file.write_text(json.dumps(message_of(spec)))
        text = unit_text(spec, file=self._file, output=self._pipe, ending=self._ending)
        (_UNITS / unit).write_text(text)
        systemctl("daemon-reload")
        done = systemctl("start", unit)
        self._why = self._reason(done.stderr) if done.returncode else ""
        self._told = False
        self.pid = self._main_pid()
        self._handle = self._watched()

    def fileno(self) -> int:
        """Return a descriptor that can be read when it has ended."""
        return self._handle

    def events(self) -> Sequence[Event]:
        """Return what has happened: the unit is started, or has ended."""
        return [] if self._is_over else list(self._events())

    def _events(self) -> Iterator[Event]:
        if not self._told:
            self._told = True
            if self._why:
                self._is_over = True
                yield Failed(self._why)
                return
            yield Started()
        if select.select([self._handle], [], [], 0)[0]:
            self._is_over = True
            systemctl("stop", self._unit)  # with all that it has started; returns when nothing is left
            yield Ended(self._code())

    def stop(self) -> None:
        """Send SIGTERM to the service."""
        systemctl("kill", "--signal=SIGTERM", self._unit)

    def kill(self) -> None:
        """End the unit with all its processes."""
        systemctl("kill", "--signal=SIGKILL", self._unit)

    def close(self) -> None:
        """End it if need be, and give everything back."""
        if self._handle < 0:
            return
        if not self._is_over:
            self.kill()
        remove(self._unit)
        os.close(self._handle)
        os.close(self.output)
        self._handle = -1
        for path in (self._pipe, self._ending, self._file):
            path.unlink(missing_ok=True)

    def _reason(self, said: str) -> str:
        shown = systemctl("show", "--property=Result", "--property=ExecMainStatus", self._unit).stdout
        return f"{said.strip().partition(chr(10))[0]} ({', '.join(shown.split())})"

    def _main_pid(self) -> int | None:
        said = systemctl("show", "--value", "--property=MainPID", self._unit).stdout.strip()
        return int(said) if said.isdigit() and said != "0" else None

    def _watched(self) -> int:
        """Return what can be read when the service has ended; at once where it has."""
        if self.pid is not None and not self._why:
            with suppress(ProcessLookupError):
                return os.pidfd_open(self.pid)
        return os.eventfd(1, os.EFD_CLOEXEC)

    def _code(self) -> int:
        """Return how it ended, as systemd has noted: `exited 3`, or `killed TERM`."""
        with suppress(OSError, ValueError):
            kind, _, status = self._ending.read_text().strip().partition(" ")
            return int(status) if kind == "exited" else -signal.Signals[f"SIG{status}"]
        return 0


@attrs.define(eq=False)
class SystemdRunner:
    """Runs services as units of systemd, which limits them and ends all that they start.

    Attributes:
        folder: for what they write, until it is read.

    """

    folder: Path
    name: ClassVar[str] = "systemd unit"

    @property
    def prefix(self) -> str:
        """What the names of all units of this launcher begin with."""
        return f"statehold-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}-"

    def start(self, spec: Spec) -> UnitProcess:
        """Start a service."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _UNITS.mkdir(parents=True, exist_ok=True)
        return UnitProcess(f"{self.prefix}{folder_name(spec.name)}.service", spec, self.folder)

    def clean(self) -> Sequence[str]:
        """Stop the units that an earlier host has left: this one starts its own."""
        units = sorted(each.name for each in _UNITS.glob(f"{self.prefix}*"))
        for unit in units:
            remove(unit)
        return units

    def close(self) -> None:
        """Do nothing: a unit goes with its service."""


def remove(unit: str) -> None:
    """Stop a unit, with all its processes, and forget it."""
    systemctl("stop", unit)
    systemctl("reset-failed", unit)
    (_UNITS / unit).unlink(missing_ok=True)


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


def systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemctl; a failure is in what is returned."""
    command = [shutil.which("systemctl") or "systemctl", *words]
    try:
        return subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
