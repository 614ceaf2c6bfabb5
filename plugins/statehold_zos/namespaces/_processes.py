"""Processes that are known by the socket in their arguments, and ended by their id.

Nothing is written down about a process, so nothing of it can be wrong after a crash: it is looked for.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from statehold_zos.model import ZosError

_FLAG: Final = b"--socket"
#: The seconds that the kernel may take to end who was killed.
_KILL: Final = 60.0
_TRIES: Final = 20
_PAUSE: Final = 0.001


def serving(folder: Path) -> dict[str, list[int]]:
    """Return which processes were told to listen on sockets in *folder*, by the name of the socket."""
    found: dict[str, list[int]] = {}
    for pid in _pids():
        path = _socket_of(pid)
        if path is not None and path.parent == folder:
            found.setdefault(path.name, []).append(pid)
    return found


def end(path: Path, *, patience: float) -> bool:
    """End the processes that were told to listen on *path*; say whether there were any.

    They are asked to, and killed where that takes longer than *patience* seconds.

    Raises:
        ZosError: one does not end even so.

    """
    pids = serving(path.parent).get(path.name, [])
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            _end(pid, path, patience)
    return bool(pids)


def _end(pid: int, path: Path, patience: float) -> None:
    # From here on the number cannot become another process unnoticed.
    process = os.pidfd_open(pid)
    try:
        for number, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, max(patience, _KILL))):
            if _socket_of(pid) != path:
                return
            try:
                signal.pidfd_send_signal(process, number)
            except PermissionError as error:
                raise ZosError(f"process {pid}, the 0-db at {path}, is root's", hint="Be root") from error
            if _ended(process, limit):
                return
        raise ZosError(f"process {pid}, the 0-db at {path}, does not end", hint="Its disk may hang")
    finally:
        os.close(process)


def _ended(process: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(patience * 1000))


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _socket_of(pid: int) -> Path | None:
    """Return what a process was told to listen on; None for one that has ended, and for all others."""
    folder = Path(f"/proc/{pid}")
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
        for _ in range(_TRIES):
            if words != [b""]:
                break
            (folder / "exe").readlink()  # else it has ended, or is none of ours
            time.sleep(_PAUSE)  # it is becoming another program, and has no words at that moment
            words = (folder / "cmdline").read_bytes().split(b"\0")
        path = Path(os.fsdecode(words[words.index(_FLAG) + 1]))
        return path if _is_here(folder, path) else None
    except (OSError, ValueError, IndexError):
        return None


def _is_here(process: Path, path: Path) -> bool:
    """Whether a path is the same to a process as to us, and the process none of another user.

    In a container it is another path; and what anybody may write into their arguments is no reason to signal.
    """
    if os.geteuid() and _user_of(process) not in (0, os.geteuid()):
        return False
    root = process / "root"
    try:
        return root.samefile("/") or (root / path.parent.relative_to("/")).samefile(path.parent)
    except PermissionError:  # of root, who has started it for us
        return True


def _user_of(process: Path) -> int:
    # The owner of the folder is root for processes that hide their memory.
    lines = (process / "status").read_text("utf-8", "replace").splitlines()
    return int(next(line for line in lines if line.startswith("Uid:")).split()[2])
