from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import attrs

from statehold.sdk import replace_file, sync_folder
from statehold_qsfs.protection._claim import Claim, read_head, take
from statehold_qsfs.protection._errors import ProtectionError, StoreMissingError
from statehold_qsfs.protection._fetching import Fetching
from statehold_qsfs.protection._local import (
    begin_restore,
    end_restore,
    hold,
    is_restoring,
    new_owner,
)
from statehold_qsfs.protection._removals import Removals
from statehold_qsfs.protection._state import Area, Kept, State
from statehold_qsfs.protection._store import Store

#: So many segments are brought at a time.
_AT_ONCE: Final = 4
#: What may be in a folder that nothing was restored into.
_HARMLESS: Final = frozenset({".lock", "mounted", "restoring"})


@attrs.frozen(kw_only=True)
class Restored:
    """What a restore has brought.

    Attributes:
        taken: when the cut was made that it has, in seconds since 1970.
        namespaces: how many there are.
        segments: how many segments there are.
        evicted: how many of them stay in the store, until they are read.
        brought_bytes: what was brought.
        epoch: which turn it is now.

    """

    taken: float
    namespaces: int
    segments: int
    evicted: int
    brought_bytes: int
    epoch: int


def restore(
    store: Store,
    folder: Path,
    *,
    prefix: str = "qsfs",
    everything: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Restored:
    """Make a folder what that of the machine was which wrote to the store last; take its turn over.

    Closed segments stay in the store until they are read; their index files come.

    Args:
        store: where it is kept.
        folder: an empty one, or none, or one with a restore that did not come to its end.
        prefix: what the names of the objects begin with.
        everything: whether closed segments are brought, too.
        progress: is called with how many segments are done, and how many there are.

    Raises:
        FencedError: another one took over meanwhile.
        ProtectionError: the folder has something, or the store has nothing.
        StoreError: the store does not answer.

    """
    held = hold(folder)
    try:
        return _restore(store, folder, prefix, everything=everything, progress=progress)
    finally:
        os.close(held)


def _restore(
    store: Store, folder: Path, prefix: str, *, everything: bool, progress: Callable[[int, int], None]
) -> Restored:
    for left in folder.glob(".restoring-*"):
        left.unlink()  # of a restore that was killed before it had begun
    there = [each for each in folder.iterdir() if each.name not in _HARMLESS]
    if is_restoring(folder):
        for left in there:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    elif there:
        raise ProtectionError(f"{folder} is not empty", hint="Restore into an empty folder")
    if read_head(store, prefix) is None:
        raise ProtectionError(
            f"the store has no filesystem {prefix!r}",
            hint="Is it the right configuration, and the right key?",
        )
    begin_restore(folder)
    owner = new_owner(folder)
    claim = take(store, prefix, owner, over=True)
    state = claim.load()
    # Objects of a cut to come may have what the machine wrote after this one, which is not to be.
    state.objects.update(whole.name for whole in state.wholes.values())
    state.wholes.clear()
    done = Progress(sum(len(area.parts) for area in state.areas.values()), progress)
    fetching = Fetching(store, lambda *_: None, Removals(folder / "removed"), state)
    try:
        for name, area in state.areas.items():
            _restore_area(fetching, folder, name, area, everything=everything, done=done)
    except StoreMissingError:
        claim.check()  # who has taken over meanwhile deletes what it does not need
        raise
    for kind in ("data", "index"):
        (folder / kind).mkdir(exist_ok=True, mode=0o700)
        sync_folder(folder / kind)
    sync_folder(folder)
    _hand_over(claim, state)
    end_restore(folder, owner)
    return Restored(
        taken=state.taken,
        namespaces=len(state.areas),
        segments=done.total,
        evicted=done.evicted,
        brought_bytes=fetching.brought,
        epoch=claim.head.epoch,
    )


@attrs.define
class Progress:
    """How far a restore is."""

    total: int
    tell: Callable[[int, int], None]
    segments: int = 0
    evicted: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def one(self, *, evicted: bool) -> None:
        """Note that a segment is done."""
        with self._lock:
            self.segments += 1
            self.evicted += evicted
            self.tell(self.segments, self.total)


def _restore_area(
    fetching: Fetching, folder: Path, name: str, area: Area, *, everything: bool, done: Progress
) -> None:
    data, index = folder / "data" / name, folder / "index" / name
    for each in (data, index):
        each.mkdir(parents=True, mode=0o700)
    replace_file(index / "zdb-namespace", area.settings)

    def bring(item: tuple[int, Kept]) -> None:
        number, kept = item
        path = data / f"d{number}"
        fetching.bring_back(kept, path, index / f"i{number}")
        if kept.whole is not None and everything:
            fetching.bring(name, kept, path)
        done.one(evicted=kept.whole is not None and not everything)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="qsfs-restore") as pool:
        pending = [pool.submit(bring, item) for item in sorted(area.parts.items())]
        try:
            for future in pending:
                future.result()
        except BaseException:
            for future in pending:
                future.cancel()
            raise
    sync_folder(data)


def _hand_over(claim: Claim, state: State) -> None:
    """Let the new term have a base of its own: what the old one stores from now on is nobody's."""
    claim.store.put(claim.base, state.encode())
    claim.check()
