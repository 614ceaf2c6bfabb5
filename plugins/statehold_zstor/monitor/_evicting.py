from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Final

from statehold_zstor.objects import Zstor, checksum_of, key_of

#: A file that was written so lately may be written still.
_QUIET: Final = 60.0


def evict(zstor: Zstor, log: logging.Logger, *, now: float | None = None) -> int:
    """Delete files of the configuration's data folder that are stored, those used longest ago first.

    It ends when the folder has no more bytes than the configuration says. A file whose bytes are not those
    that are stored stays, and one of which a shard is missing now. Return how many were deleted.
    """
    config = zstor.world.config
    folder, most = config.zdb_data_dir_path, config.max_zdb_data_dir_size
    if folder is None or most is None:
        return 0
    moment = time.time() if now is None else now
    files = sorted(_files(folder), key=lambda file: file[1].st_atime)
    size = sum(status.st_size for _, status in files)
    count = 0
    for path, status in files:
        if size <= most:
            break
        if moment - status.st_mtime < _QUIET or not _is_stored(zstor, path, status):
            continue
        path.unlink(missing_ok=True)
        log.info("%s: deleted, it is stored", path)
        size -= status.st_size
        count += 1
    return count


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                found.append((path, path.stat()))
        except FileNotFoundError:
            continue
    return found


def _is_stored(zstor: Zstor, path: Path, status: os.stat_result) -> bool:
    world = zstor.world
    info = zstor.check(key_of(path, world.config.root))
    if info is None or info.size != status.st_size:
        return False
    # It may be the last copy: where backends are away nobody knows whether they come back.
    for place in info.backends:
        lane = world.lanes.get(place)
        if lane is None or not (lane.known or lane.look()()).reachable or lane.down_since is not None:
            return False
    return checksum_of(path) == info.checksum and path.stat().st_mtime_ns == status.st_mtime_ns
