from __future__ import annotations

import faulthandler
import hashlib
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, Final, NoReturn

from statehold.loading.sidecar._kinds import CONTROL_FD, LOG_FD
from statehold.loading.sidecar.child._server import Server

_ABOVE: Final = 100


def start(job: dict[str, Any], fds: list[int]) -> NoReturn:
    """Become the sidecar that *job* describes; *fds* are its control lane, log lane, stdout and stderr."""
    _take(fds)
    code = 1
    try:
        if job["kind"] == "executable":
            _execute(job)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        faulthandler.enable()
        Server(job, socket.socket(fileno=CONTROL_FD), socket.socket(fileno=LOG_FD)).run()
        code = 0
    except BaseException:  # noqa: BLE001 - the host reads it among the last lines
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _take(fds: list[int]) -> None:
    """Let the descriptors be 3, 4, 1 and 2, and no other be open."""
    null = os.open(os.devnull, os.O_RDWR)
    for at, descriptor in enumerate((null, *fds)):
        os.dup2(descriptor, _ABOVE + at)
    for at, target in enumerate((0, CONTROL_FD, LOG_FD, 1, 2)):
        os.dup2(_ABOVE + at, target, inheritable=True)
    os.closerange(5, 1 << 20)


def _execute(job: dict[str, Any]) -> None:
    path = job["path"]
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    head = os.pread(descriptor, 2, 0)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if job["sha256"] not in (None, digest):
        raise SystemExit(f"{path} is not the file expected: its SHA-256 is {digest}, not {job['sha256']}")
    # Whatever was ignored here would be ignored there, too.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # What was verified is what runs; a script is opened once more, by its interpreter.
    target: Any = path if head == b"#!" else descriptor
    os.execve(target, [Path(path).name], {"STATEHOLD_SIDECAR": "1", **os.environ})  # noqa: S606 - that is what it is for
