from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import msgspec

from statehold_qsfs.files._commit import room_of
from statehold_qsfs.files._journal import is_unfinished, recover, write
from statehold_qsfs.files._layout import (
    STATE_KEY,
    VERSION,
    SnapshotRecord,
    StateRecord,
    block_key,
    decode_runs,
    decode_state,
    encode,
    freed_key,
    from_runs,
)
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._records import Records, Staging
from statehold_qsfs.files._values import FileSystemOptions, QsfsError
from statehold_qsfs.files._volume import ROOT, Volume
from statehold_zdb.engine import Engine, Mode, Namespace, ZdbError

#: When a write of 0-db is synced that the filesystem does not sync itself: blocks that are deleted.
_DURABILITY: Final = "relaxed:10"


def open_volume(engine: Engine, name: str, options: FileSystemOptions, logger: logging.Logger) -> Volume:
    """Return what is in the namespaces of a filesystem, which are made if need be.

    A commit that a crash has cut short is finished, if it was written down. Blocks that no metadata refer to
    are in `leftover`, files without a name, which were open, in `unlinked`.
    """
    read_only = options.read_only or engine.options.read_only
    meta = _namespace(engine, f"{name}-meta", Mode.USER, read_only=read_only)
    data = _namespace(engine, f"{name}-data", Mode.SEQUENTIAL, read_only=read_only)
    with ExitStack() as stack:
        stack.callback(_hold(meta, name, read_only=read_only))
        try:
            if not read_only:
                recover(meta)
            elif is_unfinished(meta):
                raise QsfsError(
                    f"the filesystem {name!r} was stopped in the middle of a large commit",
                    hint="Open it once so that it can be written: the commit is brought to its end then",
                )
            state = _state(meta, data, name, options, read_only=read_only)
            volume = Volume(
                meta=meta,
                data=data,
                options=options,
                records=Records(meta),
                now=options.clock or time.time_ns,
                next_ino=state.next_ino,
                high=state.high,
                used=state.used,
                files=state.files,
                last_snapshot=state.last_snapshot,
                snapshots=state.snapshots,
                read_only=read_only,
            )
            volume.room = room_of(volume)
            if not read_only:
                _finish(volume, state, logger)
        except ZdbError as error:
            raise QsfsError(
                f"the filesystem {name!r} cannot be read: {error.message}", hint=error.hint
            ) from error
        volume.let_go = stack.pop_all().close
    return volume


def view_volume(of: Volume, snapshot: SnapshotRecord) -> Volume:
    """Return *of* as it was at a snapshot."""

    def later() -> list[SnapshotRecord]:
        return [found for found in of.snapshots if found.number >= snapshot.number]

    return Volume(
        meta=of.meta,
        data=of.data,
        options=of.options,
        records=Records(of.meta, view=snapshot.number, later=later),
        now=of.now,
        used=snapshot.used,
        files=snapshot.files,
        snapshots=[snapshot],
        room=of.room,
        read_only=True,
    )


def _namespace(engine: Engine, name: str, mode: Mode, *, read_only: bool) -> Namespace:
    found = engine.get(name)
    if found is None:
        if read_only:
            raise QsfsError(f"there is no namespace {name!r}", hint="Open it once without read_only")
        engine.create(name, mode=mode)
        found = engine.configure(name, durability=_DURABILITY)
    elif found.settings.mode is not mode:
        raise QsfsError(
            f"the namespace {name!r} has mode {found.settings.mode}, not {mode}",
            hint="It is of something else: use another name, or another folder",
        )
    return found


def _hold(meta: Namespace, name: str, *, read_only: bool) -> Callable[[], None]:
    """Have a filesystem alone, or with others that only read it, and return what lets go of it."""
    fd = os.open(meta.data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if read_only else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise QsfsError(
            f"the filesystem {name!r} is open already, in this process",
            hint="Use that one, which any number of threads may, or close it first",
        ) from None
    except OSError:
        os.close(fd)  # a disk that knows no such locks; the engine keeps other processes out
        return lambda: None
    return lambda: os.close(fd)


def _state(
    meta: Namespace, data: Namespace, name: str, options: FileSystemOptions, *, read_only: bool
) -> StateRecord:
    payload = meta.get(STATE_KEY)
    if payload is None:
        if len(meta) or len(data) or read_only:
            raise QsfsError(
                f"the namespaces {meta.name!r} and {data.name!r} are of no filesystem, or lack its beginning",
                hint="Bring back what they had, or use another name",
            )
        return _format(meta, options)
    try:
        state = decode_state(payload)
    except msgspec.MsgspecError as error:
        raise QsfsError(f"the filesystem {name!r} is none that is understood: {error}") from error
    if state.version != VERSION:
        raise QsfsError(
            f"the filesystem {name!r} has version {state.version} of the format, {VERSION} is understood",
            hint="Use a newer version of Statehold",
        )
    return state


def _format(meta: Namespace, options: FileSystemOptions) -> StateRecord:
    now = (options.clock or time.time_ns)()
    root = Node(
        ino=ROOT,
        mode=stat.S_IFDIR | 0o755,
        nlink=2,
        atime=now,
        mtime=now,
        ctime=now,
        birth=now,
        parent=ROOT,
        content=None,
    )
    state = StateRecord(VERSION, 0, ROOT + 1, 0, 0, 1, [], [], 0, [])
    write(meta, {root.key: root.payload(), STATE_KEY: encode(state)})
    meta.sync()
    return state


def _finish(volume: Volume, state: StateRecord, logger: logging.Logger) -> None:
    data = volume.data
    following = data.figures().next_id
    lost = [number for number in range(state.high, following) if data.exists(block_key(number))]
    volume.leftover = lost + from_runs(state.freed)
    while (more := volume.meta.get(freed_key(volume.freed_records))) is not None:
        volume.leftover += from_runs(decode_runs(more))
        volume.freed_records += 1
    if lost:
        logger.info("%d blocks that were written and not committed are deleted", len(lost))
    staging = Staging(data)
    # Numbers that metadata know must never be given again, also where the data are older than they.
    for _ in range(following, state.high):
        staging.delete([staging.add(b"")])
    staging.write()
    volume.high = max(state.high, following)
    volume.unlinked = {ino: volume.node(ino) for ino in state.unlinked}
    if following < state.high:
        logger.error("%s lacks the newest blocks: `check` tells which files", data.name)
