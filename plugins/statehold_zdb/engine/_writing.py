from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from statehold_zdb.engine._batch import Batch
from statehold_zdb.engine._crc import crc32
from statehold_zdb.engine._errors import (
    ZdbError,
    ZdbFullError,
    ZdbKeyError,
    ZdbReadError,
    ZdbTooLargeError,
    ZdbWormError,
)
from statehold_zdb.engine._keys import ID_SIZE
from statehold_zdb.engine._options import MAX_SEGMENT, Mode, Sync
from statehold_zdb.engine._reading import Reading
from statehold_zdb.engine._record import DELETED, HEADER_SIZE, MAX_KEY, MAX_PAYLOAD, MORE

#: What a record takes beside its key and payload, at most.
_OVERHEAD: Final = HEADER_SIZE + 7


@attrs.define(eq=False, kw_only=True)
class Writing(Reading):
    """The writing side of a namespace."""

    #: Whether what is staged now goes into one segment, whatever its size.
    _together: bool = attrs.field(default=False, init=False)

    def set(self, key: bytes, payload: bytes | memoryview, *, stamp: int | None = None) -> bytes | None:
        """Put *payload* under *key*, and return the key; None where that stood there already.

        When it returns the write is as durable as the namespace's durability says. In a sequential
        namespace an empty key makes a new one.

        Raises:
            ZdbFullError: the namespace may not have so many bytes.
            ZdbWriteError: the disk refused; what stood under the key still does.

        """
        with self._lock:
            kept, batch = self.stage(key, payload, stamp=stamp)
            self._flush_alone()
        self._settle(batch)
        return kept

    def delete(self, key: bytes, *, stamp: int | None = None) -> bool:
        """Remove *key*; False if nothing stood under it. Raises as `set` does."""
        with self._lock:
            gone, batch = self.stage_delete(key, stamp=stamp)
            self._flush_alone()
        self._settle(batch)
        return gone

    def write(self, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Put payloads under keys, and remove those whose payload is None: all of them, or none.

        After a crash, too. They are in one segment, which may become larger than others by that. Of more than
        4 GiB some may be there where the disk refuses others, or after a crash before this returns.
        """
        with self._lock:
            self._flush()
            todo = self._needed(changes)
            size = sum(len(key) + len(payload or b"") + _OVERHEAD for key, payload in todo)
            self._make_room_for(size)
            # A start drops a batch that does not end in its segment; one that cannot is none.
            self._together = whole = self._log.end + size <= MAX_SEGMENT
            try:
                for left, (key, payload) in enumerate(todo, 1 - len(todo)):
                    if payload is None:
                        self.stage_delete(key, more=whole and left < 0)
                    else:
                        self.stage(key, payload, more=whole and left < 0)
            except ZdbError as error:
                self._log.drop_staged(error)
                self._undo()
                raise
            finally:
                self._together = False
            batch = self._standing()
            self._flush_alone()
        self._settle(batch)

    def stage(
        self, key: bytes, payload: bytes | memoryview, *, stamp: int | None = None, more: bool = False
    ) -> tuple[bytes | None, Batch]:
        """Do what `set` does, but leave the writing to `flush`; *more* says that the batch goes on.

        Returns with it what is to survive so that this does.
        """
        size = len(payload)
        settings, log, keys = self.settings, self._log, self._keys
        with self._lock:
            if self.closed or log.broken or settings.lock or settings.freeze or self.options.read_only:
                self._check_write()
            new_id = 0
            if settings.mode is Mode.USER:
                if not 0 < len(key) <= MAX_KEY:
                    raise ZdbKeyError(f"{self.name}: a key has {len(key)} bytes, 1 to {MAX_KEY} can be")
                before = keys.get(key)
            elif not key:
                key, before, new_id = log.next_id.to_bytes(ID_SIZE, "little"), None, 1
            else:
                before = keys.get(key)
                if before is None:
                    raise ZdbKeyError(f"{self.name}: a sequential namespace has no key {key.hex()}")
            if size > MAX_PAYLOAD:
                raise ZdbTooLargeError(
                    f"{self.name}: a payload has {size:,} bytes, at most {MAX_PAYLOAD:,} fit"
                )
            crc = crc32(payload)
            live = log.live + size
            if before is not None:
                if settings.worm:
                    raise ZdbWormError(f"{self.name}: a key stands, and in a worm namespace it stays")
                old_size, old_crc = self._old(before)
                if old_size == size and old_crc == crc and self._is_same(key, payload):
                    return None, Batch(self._saved_number)
                live -= old_size
            if settings.maxsize and live > settings.maxsize and live > log.live:
                raise ZdbFullError(
                    f"{self.name}: {live:,} bytes would be there, maxsize is {settings.maxsize:,}",
                    hint="Delete keys, or raise maxsize",
                )
            self._make_room_for(len(key) + size + _OVERHEAD)
            if stamp is None:
                stamp = int(self.now())
            keys.put(key, log.append(key, payload, crc, before, MORE if more else 0, stamp))
            log.live = live
            log.next_id += new_id
            if before is not None and self.changed is not None:
                self.changed(key)
            return key, log.batch

    def stage_run(self, keys: Sequence[bytes], payloads: Sequence[bytes]) -> Batch | None:
        """Stage many payloads at once, where that is simple: all keys are new and different, and all fit in.

        Returns what is to survive then; or None, and does nothing, where it is not.
        """
        settings, log = self.settings, self._log
        with self._lock:
            if (
                settings.mode is not Mode.USER
                or self.closed
                or log.broken
                or settings.lock
                or settings.freeze
                or self.options.read_only
                or log.active is None
                or any(map(self._keys.get, keys))
                or len(set(keys)) != len(keys)
            ):
                return None
            size = sum(map(len, payloads))
            total = size + sum(map(len, keys)) + _OVERHEAD * len(keys)
            if (
                log.end + total > log.segment_size
                or (settings.maxsize and log.live + size > settings.maxsize)
                or not 0 < min(map(len, keys)) <= max(map(len, keys)) <= MAX_KEY
                or max(map(len, payloads)) > MAX_PAYLOAD
            ):
                return None
            self._keys.put_all(keys, log.append_run(keys, payloads, int(self.now())))
            log.live += size
            return log.batch

    def stage_delete(self, key: bytes, *, stamp: int | None = None, more: bool = False) -> tuple[bool, Batch]:
        """Do what `delete` does, but leave the writing to `flush`; *more* and the batch are as of `stage`."""
        log = self._log
        with self._lock:
            self._check_write()
            before = self._keys.get(key)
            if before is None:
                return False, self._standing()
            if self.settings.worm:
                raise ZdbWormError(f"{self.name}: a key stands, and in a worm namespace it stays")
            size = self._entry_at(before).size
            self._make_room_for(len(key) + _OVERHEAD)
            if stamp is None:
                stamp = int(self.now())
            log.append(key, b"", 0, before, DELETED | MORE if more else DELETED, stamp)
            self._keys.drop(key)
            log.live -= size
            if self.changed is not None:
                self.changed(key)
            return True, log.batch

    def flush(self) -> None:
        """Write what is staged, and sync nothing; ZdbWriteError if that cannot be."""
        with self._lock:
            self._flush()

    @property
    def staged(self) -> bool:
        """Whether something is staged that `flush` has not written."""
        return self._log.staged

    def _standing(self) -> Batch:
        """Return what is to survive so that all does that stands here now."""
        return self._log.batch if self._log.staged else Batch(self._saved_number)

    def _flush_alone(self) -> None:
        """Write what is staged, if nobody is to be waited for."""
        if self.durability.sync is not Sync.GROUP:
            self._flush()

    def _settle(self, batch: Batch) -> None:
        if 0 <= batch.last <= self._log.synced:
            return
        sync = self.durability.sync
        if sync is Sync.GROUP or batch.last < 0:  # the durability may have been another one a moment ago
            self._syncing.wait(batch)
        elif sync is Sync.EVERY:
            self._sync()

    def _make_room_for(self, length: int) -> None:
        log = self._log
        if log.active is None or (log.end + length > log.segment_size and not self._together):
            self._make_room(length)

    def _needed(self, changes: Sequence[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
        """Return those changes that change something, each key once, as it is to be in the end."""
        todo = dict(changes)
        return [
            (key, payload)
            for key, payload in todo.items()
            if (self._keys.get(key) is not None if payload is None else not self._stands(key, payload))
        ]

    def _stands(self, key: bytes, payload: bytes) -> bool:
        position = self._keys.get(key)
        if position is None:
            return False
        size, crc = self._old(position)
        return size == len(payload) and crc == crc32(payload) and self._is_same(key, payload)

    def _old(self, position: int) -> tuple[int, int | None]:
        """Return the bytes of a payload that is about to be replaced, and their CRC, if that is at hand."""
        log = self._log
        if log.is_staged(position):
            self._flush()
        try:
            record = log.head_of(position)
        except ZdbReadError:
            record = None
        return (self._entry_at(position).size, None) if record is None else (record.size, record.crc)

    def _is_same(self, key: bytes, payload: bytes | memoryview) -> bool:
        try:
            found = self.find(key)
        except ZdbReadError:
            return False  # what is damaged or missing is written anew
        return found is not None and found == payload
