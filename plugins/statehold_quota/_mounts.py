from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

_TABLE: Final = Path("/proc/thread-self/mountinfo")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@attrs.frozen
class Mount:
    """A line of the table of mounts.

    Attributes:
        point: where it is mounted.
        kind: the file system's name, `btrfs`.
        source: what is mounted, often a device.
        options: those of the file system. That one is there does not say that it works.

    """

    point: Path
    kind: str
    source: str
    options: frozenset[str]


def mount_of(path: Path) -> Mount:
    """Return the mount that *path*, or the nearest folder above it that exists, lies in."""
    resolved = path.resolve()
    found = [mount for mount in _mounts() if resolved.is_relative_to(mount.point)]
    # Of several at one point, the last one covers the others.
    return max(enumerate(found), key=lambda item: (len(item[1].point.parts), item[0]))[1]


def mounts_under(path: Path) -> list[Mount]:
    """Return what is mounted somewhere below *path*, not at *path* itself."""
    resolved = path.resolve()
    return [mount for mount in _mounts() if resolved in mount.point.parents]


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted at *path* itself."""
    resolved = path.resolve()
    return any(mount.point == resolved for mount in _mounts())


def _mounts() -> Iterator[Mount]:
    for line in _TABLE.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        place, _, source = line.partition(" - ")
        kind, device, options = source.split(" ")
        yield Mount(_plain(place.split(" ")[4]), kind, str(_plain(device)), frozenset(options.split(",")))


def _plain(text: str) -> Path:
    return Path(os.fsdecode(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)))
