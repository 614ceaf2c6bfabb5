from __future__ import annotations

import errno
import os
import re
import subprocess
from pathlib import Path
from typing import Final

import attrs

from statehold_qsfs.mount._errors import MountError

#: What a mount of this filesystem is called in the table of mounts.
KIND: Final = "fuse.qsfs"
#: The attributes of the root that make and delete the snapshot whose name they are set to.
SNAPSHOT: Final = "user.qsfs.snapshot"
SNAPSHOT_DELETE: Final = "user.qsfs.snapshot.delete"
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_SECONDS: Final = 120


@attrs.frozen
class Mounted:
    """One line of the table of mounts."""

    point: Path
    kind: str
    source: str

    @property
    def dead(self) -> bool:
        """Whether the process is gone that answered for it."""
        try:
            os.statvfs(self.point)  # which no cache of the kernel answers
        except OSError as error:
            return error.errno in {errno.ENOTCONN, errno.ECONNABORTED}
        return False


def table() -> list[Mounted]:
    """Return what is mounted, the last one last."""
    lines = Path("/proc/thread-self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    found = []
    for line in lines.splitlines():
        here, _, there = line.partition(" - ")
        kind, source, *_ = map(_plain, there.split(" "))
        found.append(Mounted(Path(_plain(here.split(" ")[4])), kind, source))
    return found


def at(point: Path) -> Mounted | None:
    """Return what is mounted at a folder; the one that is seen, if there are several."""
    return next((each for each in reversed(table()) if each.point == point), None)


def of(store: Path) -> list[Mounted]:
    """Return the mounts of a store, the living and the dead."""
    return [each for each in table() if each.kind == KIND and each.source == str(store)]


def unmount(point: Path, *, lazily: bool = False) -> None:
    """Take a mount away: now, or *lazily*: from the tree now, and for good when nobody uses it any more.

    Another process does it: the kernel may ask this one for answers meanwhile, and a process that waits for
    itself could not even be killed.

    Raises:
        MountError: it is in use, or this user may not.

    """
    if os.geteuid() == 0:
        command = ["umount", "--no-canonicalize", *(["--lazy"] if lazily else []), str(point)]
    else:
        command = ["fusermount3", "-u", *(["-z"] if lazily else []), str(point)]
    try:
        done = subprocess.run(  # noqa: S603  both are the system's
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MountError(f"cannot unmount {point}: {error}") from error
    if done.returncode and at(point) is not None:
        raise MountError(
            f"cannot unmount {point}: {done.stderr.strip()}",
            hint=f"`fuser -vm {point}` says who uses it; --lazy takes it away from under them",
        )


def _plain(word: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), word)
