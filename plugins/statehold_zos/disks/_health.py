from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from statehold_quota import programs
from statehold_zos.disks._programs import outcome
from statehold_zos.disks._reading import direct
from statehold_zos.model import Health

_AREA: Final = 64 * 1024
_AREAS: Final = 16
#: The bits with which `smartctl -H` ends for a disk that fails, or is about to.
_SMART_FAILING: Final = 8 | 16


def read_health(path: str) -> Health:
    """Look whether a disk can be read from its first to its last byte, at some places, and what it says."""
    try:
        with direct(path) as (read, size):
            for place in areas(size):
                count = min(_AREA, size - place)
                if len(read(place, count)) != count:
                    return Health(good=False, reason=f"{count:,} bytes at {place:,} cannot be read")
    except OSError as error:
        return Health(good=False, reason=f"cannot be read: {error.strerror}")
    return _smart(path)


def write_health(path: str) -> Health:
    """Write at some places of an EMPTY disk, read it back past the memory, and leave zeros."""
    try:
        written = {}
        held = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.lseek(held, 0, os.SEEK_END)
            for place in areas(size):
                written[place] = secrets.token_bytes(min(_AREA, size - place))
                _write(held, written[place], place)
            os.fsync(held)
            wrong = _differing(path, written)
            for place, data in written.items():
                _write(held, bytes(len(data)), place)
            os.fsync(held)
        finally:
            os.close(held)
    except OSError as error:
        return Health(good=False, reason=f"cannot be written: {error.strerror}")
    if wrong:
        return Health(good=False, reason=f"does not keep what was written at byte {wrong[0]:,}")
    return Health(good=True)


def areas(size: int) -> list[int]:
    """Return where to look: the first area, the last, and others between them."""
    last = max(0, size - _AREA) // 4096 * 4096
    return sorted({last * step // (_AREAS - 1) // 4096 * 4096 for step in range(_AREAS)})


def _differing(path: str, written: dict[int, bytes]) -> list[int]:
    with direct(path) as (read, _):
        return [place for place, data in written.items() if read(place, len(data)) != data]


def _write(held: int, data: bytes, place: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(held, data[done:], place + done)


def _smart(path: str) -> Health:
    if not _is_real(path) or programs.find("smartctl") is None:
        return Health(good=True)
    told = outcome("smartctl", "-H", path, permitted=range(256))
    if told.returncode & _SMART_FAILING:
        said = [line for line in told.stdout.splitlines() if "health" in line.lower()]
        return Health(good=False, reason=f"SMART: {(said or ['failing'])[-1].strip()}")
    return Health(good=True)


def _is_real(path: str) -> bool:
    return stat.S_ISBLK(Path(path).stat().st_mode) and not Path(path).name.startswith("loop")
