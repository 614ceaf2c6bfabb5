from __future__ import annotations

import hashlib
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

import attrs

from statehold_aos._service_storage._names import folder_name
from statehold_aos.launcher._processes._runner import Ended, Event, Spec, Started

#: What systemd-run and systemctl may take.
_SECONDS: Final = 30


def why_no_systemd() -> str:
    """Return why services cannot be units of systemd here; "" where they can."""
    if not Path("/run/systemd/system").is_dir():
        return "systemd is not the first process here"
    if os.geteuid():
        return "only root may start units of the system"
    missing = [name for name in ("systemd-run", "systemctl") if shutil.which(name) is None]
    return f"there is no {missing[0]}" if missing else ""


class UnitProcess:
    """A service that is a transient unit of systemd; it outlives a host that is killed, until the next."""

    def __init__(self, unit: str, spec: Spec) -> None:
        self._unit: Final = unit
        self.output, write = os.pipe()
        os.set_blocking(self.output, False)
        try:
            # It stays for as long as the unit is there, and then has its exit code.
            self._client = subprocess.Popen(  # noqa: S603 - no shell
                unit_command(unit, spec),
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
            )
        except BaseException:
            os.close(self.output)
            raise
        finally:
            os.close(write)
        self._handle = os.pidfd_open(self._client.pid)
        self._told = False
        self._ended = False

    @property
    def pid(self) -> int | None:
        """The pid of the service, for people."""
        said = _systemctl("show", "--value", "--property=MainPID", self._unit)
        return int(said) if said.isdigit() and said != "0" else None

    def fileno(self) -> int:
        """Return a descriptor that can be read when it has ended."""
        return self._handle

    def events(self) -> Sequence[Event]:
        """Return what has happened: the unit is started, or has ended."""
        return list(self._events())

    def _events(self) -> Iterator[Event]:
        if not self._told:
            self._told = True
            yield Started()
        if not self._ended and self._client.poll() is not None:
            self._ended = True
            yield Ended(_code(self._client.returncode))

    def stop(self) -> None:
        """Send SIGTERM to the service."""
        _systemctl("kill", "--signal=SIGTERM", self._unit)

    def kill(self) -> None:
        """End the unit with all its processes."""
        _systemctl("kill", "--signal=SIGKILL", self._unit)

    def close(self) -> None:
        """End it if need be, and give everything back."""
        if self._handle < 0:
            return
        if self._client.poll() is None:
            self.kill()
            if not select.select([self._handle], [], [], _SECONDS)[0]:
                self._client.kill()
        self._client.wait()
        os.close(self._handle)
        os.close(self.output)
        self._handle = -1


@attrs.define(eq=False)
class SystemdRunner:
    """Runs services as transient units; systemd binds their folders, limits them and ends all of them."""

    folder: Path
    name: ClassVar[str] = "systemd unit"

    @property
    def prefix(self) -> str:
        """What the names of all units of this launcher begin with."""
        return f"statehold-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}-"

    def start(self, spec: Spec) -> UnitProcess:
        """Start a service."""
        return UnitProcess(f"{self.prefix}{folder_name(spec.name)}.service", spec)

    def clean(self) -> Sequence[str]:
        """Stop the units that an earlier host has left: this one starts its own."""
        said = _systemctl("list-units", "--all", "--plain", "--no-legend", f"{self.prefix}*")
        units = [line.split()[0] for line in said.splitlines() if line.strip()]
        for unit in units:
            _systemctl("stop", unit)
            _systemctl("reset-failed", unit)
        return units

    def close(self) -> None:
        """Do nothing: a unit goes with its service."""


def unit_command(unit: str, spec: Spec) -> list[str]:
    """Return what starts a unit."""
    properties = [
        "KillMode=control-group",
        "NoNewPrivileges=yes",
        "LimitCORE=0",
        f"WorkingDirectory={spec.folder}",
        *(f"Bind{'ReadOnly' * bind.read_only}Paths={bind.source}:{bind.target}" for bind in spec.binds),
    ]
    for name, value in {
        "User": spec.uid,
        "Group": spec.uid if spec.gid is None else spec.gid,
        "TemporaryFileSystem": f"/tmp:size={spec.tmp_bytes},mode=1777" if spec.tmp_bytes else None,  # noqa: S108
        "MemoryMax": spec.ram_bytes or None,
        "CPUQuota": f"{spec.cpu_percent}%" if spec.cpu_percent else None,
        "TasksMax": spec.processes or None,
        "LimitNOFILE": spec.files or None,
    }.items():
        if value is not None:
            properties.append(f"{name}={value}")
    options = [f"--property={each}" for each in properties]
    options += [f"--setenv={name}={value}" for name, value in spec.env.items()]
    return [
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        "--collect",
        f"--unit={unit}",
        *options,
        "--",
        *spec.command,
    ]


def _code(returned: int) -> int:
    """Return the code of a unit, a signal being negative: for that systemd-run says 128 and more."""
    return returned if returned < 128 else -min(returned - 128, signal.SIGRTMAX)


def _systemctl(*words: str) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        command = [shutil.which("systemctl") or "systemctl", *words]
        done = subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        return done.stdout.strip()
    return ""
