from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

#: Where units are written that a restart of the machine forgets.
UNITS: Final = Path("/run/systemd/system")
#: What systemctl may take.
_SECONDS: Final = 60


def systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemctl; a failure is in what is returned."""
    command = [shutil.which("systemctl") or "systemctl", *words]
    try:
        return subprocess.run(  # noqa: S603 - no shell
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def remove(unit: str) -> None:
    """Stop a unit, with all its processes, and forget it."""
    systemctl("stop", unit)
    systemctl("reset-failed", unit)
    (UNITS / unit).unlink(missing_ok=True)
