from __future__ import annotations

import stat
from pathlib import Path

from statehold_qsfs.mount import _table
from statehold_qsfs.mount._errors import MountError


def prepare(point: Path, store: Path, *, before: Path | None = None) -> list[Path]:
    """See to it that a folder can be mounted at, and return the dead mounts that were taken away for it.

    Args:
        point: the folder.
        store: what is to be mounted.
        before: where it was mounted last: a process that was killed has left a dead mount there.

    Raises:
        MountError: it is no empty folder, or something is mounted there.

    """
    gone = [_bury(each) for each in _table.of(store) if each.dead]
    for folder in {before, point} - {None}:
        there = _table.at(folder) if folder is not None else None
        if there is not None and there.kind == _table.KIND and there.dead:
            gone.append(_bury(there))
    there = _table.at(point)
    if there is not None:
        raise MountError(
            f"{point}: {there.source} ({there.kind}) is mounted there already"
            + (", and answers no more" if there.dead else ""),
            hint=f"statehold qsfs umount {point}" if there.kind == _table.KIND else f"umount {point}",
        )
    try:
        mode = point.stat().st_mode
        names = [each.name for each in point.iterdir()] if stat.S_ISDIR(mode) else None
    except OSError as error:
        hint = f"mkdir -p {point}" if isinstance(error, FileNotFoundError) else ""
        raise MountError(f"{point}: cannot be mounted at: {error.strerror}", hint=hint) from error
    if names is None:
        raise MountError(f"{point}: cannot be mounted at: expected a folder, got a file")
    if names:
        raise MountError(
            f"{point}: is not empty, and what is in it would not be seen: {names[0]}",
            hint="Mount at an empty folder",
        )
    return gone


def _bury(mount: _table.Mounted) -> Path:
    _table.unmount(mount.point, lazily=True)
    return mount.point
