from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec

from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_qsfs.mount._claim import claimed
from statehold_qsfs.mount._errors import MountError
from statehold_qsfs.mount._local import opened
from statehold_qsfs.mount._point import prepare
from statehold_qsfs.mount._session import PAGES_EVERY, Session
from statehold_qsfs.mount._table import SNAPSHOT, SNAPSHOT_DELETE

_log: Final = logging.getLogger(__name__)
_TURN: Final = 0.0005
#: A signal counts as a second one after so many seconds: some who end a process send it the first one twice.
_SECOND: Final = 1.0


def serve(
    files: FileSystem,
    point: Path,
    *,
    source: str,
    ready: Callable[[Session], object],
    parts: Mapping[str, Callable[[], Any]] | None = None,
    read_only: bool = False,
    pages_every: float = PAGES_EVERY,
    again: Callable[[], object] = lambda: None,
    logger: logging.Logger = _log,
) -> None:
    """Mount *files*, and answer until it is unmounted, or SIGTERM or SIGINT come.

    Args:
        files: what is mounted; it stays open.
        point: an empty folder, as `prepare` leaves it.
        source: what it is made of, as the table of mounts tells it.
        ready: called once it can be used.
        parts: what its status tells besides the filesystem itself.
        read_only: nothing can be changed through it.
        pages_every: the seconds after which pages of open files are taken from the kernel.
        again: called in the handler of a second signal, which comes while it is being unmounted.
        logger: takes what an operator should know.

    """
    since = time.time()

    def status() -> bytes:
        told = {name: part() for name, part in (parts or {}).items()}
        known: dict[str, Any] = {"store": source, "point": str(point), "pid": os.getpid(), "since": since}
        known |= {"snapshots": files.snapshots(), "files": files.statistics()}
        return msgspec.json.encode({**known, **told})

    session = Session(
        files.inodes,
        point,
        source=source,
        status=status,
        orders={SNAPSHOT: files.snapshot, SNAPSHOT_DELETE: files.delete_snapshot},
        read_only=read_only,
        pages_every=pages_every,
        logger=logger,
    )
    with _ended_by_signals(session.stop, again), _short_turns():
        session.mount()
        ready(session)
        session.serve()


def mount(
    store: Path,
    point: Path,
    *,
    ready: Callable[[Session], object],
    options: FileSystemOptions | None = None,
    snapshot: str | None = None,
    cleaned: Callable[[Path], object] = lambda _: None,
    logger: logging.Logger = _log,
) -> None:
    """Mount the store in a folder, of this machine alone, and answer until it is unmounted.

    Args:
        store: the folder; made if it is not there.
        point: the empty folder where it is seen.
        ready: called once it can be used.
        options: how the filesystem works.
        snapshot: what to mount, to read only, instead of what there is now.
        cleaned: called with each dead mount that was taken away.
        logger: takes what an operator should know.

    Raises:
        MountError: it is mounted already, or cannot be.

    """
    point, store = point.resolve(), store.resolve()
    if not store.is_dir() and store.exists():
        raise MountError(f"{store}: expected the folder of a store, got a file")
    with claimed(store, point) as before, ExitStack() as stack:
        for each in prepare(point, store, before=Path(before.point) if before else None):
            cleaned(each)
        files = stack.enter_context(opened(store, options=options, logger=logger))
        if snapshot is not None:
            files = stack.enter_context(files.at(snapshot))
        serve(files, point, source=str(store), ready=ready, read_only=snapshot is not None, logger=logger)


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads that write what was changed hold up an answer for half a millisecond, not for five."""
    turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(turn)


@contextmanager
def _ended_by_signals(end: Callable[[], object], again: Callable[[], object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    first: float | None = None

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            first = now
            end()
        elif now - first >= _SECOND:
            again()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
