from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import attrs

from statehold_aos._service_storage._names import folder_name
from statehold_aos.launcher._processes._runner import Spec
from statehold_aos.launcher._processes._systemctl import UNITS, remove
from statehold_aos.launcher._processes._unit_process import UnitProcess


def why_no_systemd() -> str:
    """Return why services cannot be units of systemd here; "" where they can."""
    if not Path("/run/systemd/system").is_dir():
        return "systemd is not the first process here"
    if os.geteuid():
        return "only root may start units of the system"
    return "" if shutil.which("systemctl") else "there is no systemctl"


@attrs.define(eq=False)
class SystemdRunner:
    """Runs services as units of systemd, which limits them and ends all that they start.

    Attributes:
        folder: for what they write, until it is read.

    """

    folder: Path
    #: The last process of each unit.
    _last: dict[str, UnitProcess] = attrs.field(factory=dict, init=False)
    _number: int = attrs.field(default=0, init=False)
    name: ClassVar[str] = "systemd unit"

    @property
    def prefix(self) -> str:
        """What the names of all units of this launcher begin with."""
        return f"statehold-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}-"

    def start(self, spec: Spec) -> UnitProcess:
        """Start a service."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unit = f"{self.prefix}{folder_name(spec.name)}.service"
        self._number += 1
        before = self._last.get(unit)
        process = UnitProcess(
            unit, spec, self.folder / f"{unit}.{self._number}", None if before is None else before.thread
        )
        self._last[unit] = process
        return process

    def clean(self) -> Sequence[str]:
        """Stop the units that an earlier host has left: this one starts its own."""
        self._wait()
        units = sorted(each.name for each in UNITS.glob(f"{self.prefix}*"))
        for unit in units:
            remove(unit)
        own = {path for process in self._last.values() for path in process.files}
        for path in {*self.folder.glob(f"{self.prefix}*")} - own:
            path.unlink(missing_ok=True)
        return units

    def close(self) -> None:
        """Wait until the units are gone whose processes are closed."""
        self._wait()

    def _wait(self) -> None:
        for unit, process in list(self._last.items()):
            if process.is_closed:
                process.thread.join()
                del self._last[unit]
