from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from statehold.cli import Output, common

if TYPE_CHECKING:
    from statehold_qsfs.mount import Session

_LOG = "mount.log"


@click.command("mount")
@click.argument("store", type=click.Path(path_type=Path))
@click.argument("point", type=click.Path(path_type=Path))
@click.option("--background", is_flag=True, help="Return once it is mounted, and go on in the background.")
@click.option("--flush", type=float, help="The most seconds until a change is on the disk. [3]")
@click.option("--quota", help='The most that files may take, as "10 GiB". [what the disk has]')
@click.option("--snapshot", help="Mount a snapshot of that name instead, to read only.")
@common
def mount(  # noqa: PLR0917  how click passes them
    out: Output,
    store: Path,
    point: Path,
    background: bool,  # noqa: FBT001
    flush: float | None,
    quota: str | None,
    snapshot: str | None,
) -> None:
    """Mount the folder STORE at the empty folder POINT, until it is unmounted.

    STORE is made if it is not there. SIGTERM and Ctrl-C unmount it, too.
    """
    from statehold_qsfs.files import FileSystemOptions  # noqa: PLC0415  `--help` needs none of it
    from statehold_qsfs.mount import mount as mount_store  # noqa: PLC0415

    limits = {"flush_every": flush, "quota": _bytes(quota)}
    options = FileSystemOptions(**{name: value for name, value in limits.items() if value is not None})  # type: ignore[arg-type]  # each its own
    told = _Told(out, store, point)
    if background:
        told.go_to_background()
    mount_store(store, point, ready=told.ready, options=options, snapshot=snapshot, cleaned=told.cleaned)


class _Told:
    """Says that it is mounted: to who waits in the foreground, or to the process that started this one."""

    def __init__(self, out: Output, store: Path, point: Path) -> None:
        self._out, self._store, self._point = out, store, point
        self._waiting: int | None = None

    def ready(self, _: Session) -> None:
        """Say it."""
        document = {"store": str(self._store), "point": str(self._point), "pid": os.getpid()}
        self._out.document(document)
        self._out.done(f"{self._store} is mounted at {self._point}, by process {os.getpid()}")
        if self._waiting is not None:
            self._leave_terminal(self._waiting)

    def cleaned(self, point: Path) -> None:
        """Say that a dead mount was taken away."""
        self._out.warn(f"{point}: a mount whose process was gone was taken away")

    def go_to_background(self) -> None:
        """Go on in another process; this one ends when that is ready, or has failed."""
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child:
            os.close(writing)
            _wait_for(child, reading)
        os.close(reading)
        os.setsid()
        self._waiting = writing

    def _leave_terminal(self, waiting: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(self._store / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for number, fd in ((0, null), (1, log), (2, log)):
            os.dup2(fd, number)
        os.close(null)
        os.close(log)
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
        os.chdir("/")
        os.write(waiting, b"ready")
        os.close(waiting)


def _wait_for(child: int, reading: int) -> NoReturn:
    if os.read(reading, 16):
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) or 1)


def _bytes(text: str | None) -> int | None:
    from statehold_qsfs.stack import size_of  # noqa: PLC0415  `--help` needs none of it

    try:
        return size_of(int(text) if text.isdecimal() else text) if text is not None else None
    except ValueError as error:
        raise click.UsageError(f"--quota: {error}") from error
