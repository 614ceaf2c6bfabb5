from __future__ import annotations

import errno
from collections.abc import Callable

import attrs

from statehold_qsfs.files._commit import Commits
from statehold_qsfs.files._journal import Changes
from statehold_qsfs.files._layout import (
    MAP,
    SnapshotRecord,
    decode_page,
    generation_of,
    kept_key,
    split_kept,
)
from statehold_qsfs.files._names import check_name
from statehold_qsfs.files._records import refuse
from statehold_qsfs.files._volume import Volume


@attrs.define(eq=False)
class Snapshots:
    """Keeps the whole as it was, by name.

    A snapshot is a number: what is written afterwards has it as its generation. Who replaces a record of an
    earlier generation puts that under a key of the newest snapshot first; blocks that were there at the
    newest snapshot are not deleted. So making one costs nothing, and keeping it what has changed since.

    Attributes:
        views: how many look at each snapshot, by number.

    """

    volume: Volume
    commits: Commits
    views: dict[int, int] = attrs.field(factory=dict)

    def make(self, name: str) -> SnapshotRecord:
        """Keep all as it is now."""
        volume = self.volume
        volume.check_writable()
        check_name(name)

        def check() -> None:
            if any(snapshot.name == name for snapshot in volume.snapshots):
                raise refuse(errno.EEXIST, name)

        def also(_: Changes) -> None:
            check()  # somebody may have been faster
            volume.last_snapshot += 1
            made = SnapshotRecord(
                volume.last_snapshot, name, volume.now(), volume.high, volume.used, volume.files
            )
            volume.snapshots = [*volume.snapshots, made]

        check()
        self.commits.change(also)
        return self.find(name)

    def find(self, name: str) -> SnapshotRecord:
        """Return the snapshot of that name."""
        for snapshot in self.volume.snapshots:
            if snapshot.name == name:
                return snapshot
        raise refuse(errno.ENOENT, name)

    def look(self, snapshot: SnapshotRecord) -> Callable[[], None]:
        """Note that somebody looks at *snapshot*, and return what notes the end of it."""
        number = snapshot.number
        self.views[number] = self.views.get(number, 0) + 1

        def leave() -> None:
            with self.volume.lock:
                self.views[number] -= 1

        return leave

    def delete(self, name: str) -> None:
        """Forget a snapshot, and free the blocks that only it has."""
        volume = self.volume
        volume.check_writable()

        def unused() -> SnapshotRecord:
            found = self.find(name)
            if self.views.get(found.number):
                raise refuse(errno.EBUSY, name)
            return found

        def also(changes: Changes) -> None:
            gone = unused()
            self._release(gone, changes)
            volume.snapshots = [snapshot for snapshot in volume.snapshots if snapshot is not gone]

        unused()
        self.commits.change(also)

    def _release(self, gone: SnapshotRecord, changes: Changes) -> None:
        volume = self.volume
        before = max((s.number for s in volume.snapshots if s.number < gone.number), default=0)
        later = [s.number for s in volume.snapshots if s.number > gone.number]
        keys = {*volume.meta.keys(), *changes}
        released: Changes = {}  # all or, where a record cannot be read, nothing
        freed: list[int] = []
        for kept in keys:
            found = split_kept(kept)
            payload = self._load(kept, changes) if found is not None and found[1] == gone.number else None
            if found is None or payload is None:
                continue
            key = found[0]
            released[kept] = None
            if generation_of(payload) < before:  # the snapshot before has no copy of its own
                released[kept_key(key, before)] = payload
            elif key[0] == MAP:
                blocks = _blocks(payload)
                if before:
                    blocks -= _blocks(self._load(kept_key(key, before), changes))
                for number in later:
                    following = self._load(kept_key(key, number), changes)
                    if following is not None:
                        break
                else:
                    following = self._load(key, changes)
                freed += sorted(blocks - _blocks(following))
        changes |= released
        volume.freed += freed

    def _load(self, key: bytes, changes: Changes) -> bytes | None:
        return changes[key] if key in changes else self.volume.records.load(key)


def _blocks(payload: bytes | None) -> set[int]:
    """Return the numbers of the blocks that a page refers to."""
    if payload is None:
        return set()
    return {number for pieces in decode_page(payload).blocks for number in pieces[2::3]}
