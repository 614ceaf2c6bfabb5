from __future__ import annotations

import faulthandler
import hashlib
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from statehold.loading.sandbox import Policy, Prepared, SandboxError, enter
from statehold.loading.sidecar._kinds import CONTROL_FD, LOG_FD
from statehold.loading.sidecar.child._server import Server

if TYPE_CHECKING:
    from statehold.loading.sidecar.child._image import Image

NETWORK_FD: Final = 5
_NETWORK_AT: Final = 4
_ABOVE: Final = 100
_PATHS: Final = ("data_folders", "read_only", "executables", "private")


def start(job: dict[str, Any], fds: list[int], prepared: Prepared, image: Image | None) -> NoReturn:
    """Become the sidecar that *job* describes; *fds* are its control lane, log lane, stdout and stderr.

    A fifth one, for a job that may use the network, leads to what connects for it.
    """
    _take(fds)
    code = 1
    try:
        _shut_in(job, prepared, network=len(fds) > _NETWORK_AT)
        if job["kind"] == "executable":
            _execute(job)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        faulthandler.enable(all_threads=False)
        Server(job, socket.socket(fileno=CONTROL_FD), socket.socket(fileno=LOG_FD), image).run()
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
    for at, target in enumerate((0, CONTROL_FD, LOG_FD, 1, 2, NETWORK_FD)[: len(fds) + 1]):
        os.dup2(_ABOVE + at, target, inheritable=target != NETWORK_FD)
    os.closerange(5 + (len(fds) > _NETWORK_AT), 1 << 20)


def _shut_in(job: dict[str, Any], prepared: Prepared, *, network: bool) -> None:
    """Enter the sandbox; what it cannot do is told with the plugin's description."""
    if job["policy"] is None:
        return
    given = job["policy"]
    paths = {
        name: [*map(Path, given[name])] for name in ("data_folders", "read_only", "executables", "private")
    }
    policy = Policy(**{**given, **paths, "network": tuple(given["network"])})
    channel = socket.socket(fileno=NETWORK_FD) if network else None
    try:
        lacking = enter(
            policy,
            prepared=prepared,
            keep=(CONTROL_FD, LOG_FD),
            channel=channel,
            required=job["required"],
        )
    except SandboxError as error:
        job["refused"] = str(error)
    else:
        job["lacking"] = [str(lack) for lack in lacking]


def _execute(job: dict[str, Any]) -> None:
    if "refused" in job:
        raise SystemExit(job["refused"])
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
