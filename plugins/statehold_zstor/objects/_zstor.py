from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import attrs

from statehold_zstor.backends import open_backend
from statehold_zstor.config import Config
from statehold_zstor.metadata import Entry, Metadata, MetadataConflictError, MetadataError, ObjectMeta
from statehold_zstor.objects._cleaning import clean, sweep
from statehold_zstor.objects._errors import (
    DamagedError,
    ObjectChangedError,
    ZstorError,
)
from statehold_zstor.objects._fetching import Fetcher, Found
from statehold_zstor.objects._improving import IsLost, mend
from statehold_zstor.objects._info import ObjectInfo, Repair, Status, Verdict
from statehold_zstor.objects._lanes import Lane
from statehold_zstor.objects._later import Later
from statehold_zstor.objects._pieces import info_of, leftovers_of
from statehold_zstor.objects._reading import read_range, write_file
from statehold_zstor.objects._rebuilding import (
    Rebuilt,
    check_whole,
    current,
    fetcher_of,
    is_same,
    rebuild,
    verify,
)
from statehold_zstor.objects._sources import Source
from statehold_zstor.objects._status import status_of
from statehold_zstor.objects._storing import Order, store
from statehold_zstor.objects._world import Opener, World

Progress = Callable[[int], None]
T = TypeVar("T")

_TRIES: Final = 20
_DAY: Final = 86_400.0


class Zstor:
    """Objects on the backends of a configuration: compressed, encrypted, in shards of which some may be lost.

    Any number of threads and processes may use the same backends at once: who reads an object gets one
    generation of it, whole, never a mix of two. Memory is bounded, however large an object is.

    Damaged pieces that a read comes upon are written again, and shards of what was replaced or deleted are
    deleted, behind whoever called; `close` waits for both.

    All calls raise `statehold_zstor.metadata.MetadataError` where too few backends of the metadata answer, or
    their key is another one; `store` raises NotStoredError instead.

    Args:
        config: the configuration, or the file that it is in.
        opener: opens backends.
        logger: is told of damage.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be.
        StateholdError: a library is not installed.

    """

    def __init__(
        self,
        config: Config | Path,
        *,
        opener: Opener = open_backend,
        logger: logging.Logger | None = None,
    ) -> None:
        self._opener = opener
        self._log = logger or logging.getLogger(__name__)
        self._lock = threading.Condition()
        self._calls = 0
        self._closed = False
        self._world = World.open(Config.read(config) if isinstance(config, Path) else config, opener)
        self._retired: list[Lane | Metadata] = []
        self._later = Later(self._log)
        self._seen: dict[str, float] = {}
        #: How often which call ended, by its name and whether it did what it should.
        self.finished: Counter[tuple[str, bool]] = Counter()
        #: How often something was stored that lacks shards, or metadata on a backend.
        self.lacking = 0

    @property
    def world(self) -> World:
        """What the configuration names, opened."""
        return self._world

    def store(
        self,
        key: str,
        source: Source,
        *,
        metadata: Mapping[str, str] | None = None,
        expected: int | None = None,
        progress: Progress = lambda _: None,
    ) -> ObjectInfo:
        """Keep the bytes of *source* under *key*, in the place of what is there.

        When it returns, the object has its full redundancy, or that which the configuration's `acknowledge`
        says, and its metadata, which are on disk, note what is missing: `monitor` and `rebuild` make it.

        Args:
            key: any text.
            source: the bytes, a file, or a stream that is read to its end.
            metadata: texts to keep with it.
            expected: the generation that must be there now, 0 for none; None for any.
            progress: is called with the bytes done since it was called last.

        Raises:
            NotStoredError: the redundancy was not reached. What was there before is there still.
            MaybeStoredError: nobody knows. What was there before is, or all of *source*.
            ObjectChangedError: another generation than *expected* is there.

        """
        _check_key(key)
        order = Order(key=key, source=source, texts=metadata or {}, expected=expected, progress=progress)
        with self._call("store") as world:
            entry = store(world, order)
            if entry.missing or (entry.meta is not None and not all(entry.meta.places)):
                with self._lock:
                    self.lacking += 1
            self._clean_later(world, entry)
        return info_of(entry)

    def retrieve(self, key: str, target: Path, *, progress: Progress = lambda _: None) -> ObjectInfo:
        """Write the bytes under *key* to the file *target*, which appears when all of it is right.

        Raises:
            ObjectNotFoundError: there is none.
            DamagedError: too many shards are lost; no file is written.

        """

        def write(fetcher: Fetcher) -> None:
            write_file(fetcher, target, self._on_bad, progress)

        entry, _ = self._reading("retrieve", key, write)
        return info_of(entry)

    def read(self, key: str, offset: int = 0, size: int | None = None) -> bytes:
        """Return the bytes from *offset* on, at most *size*, fetching only the blocks that have them.

        Raises:
            ObjectNotFoundError: there is none.
            DamagedError: too many shards of a block are lost.

        """
        if offset < 0 or (size is not None and size < 0):
            raise ZstorError(f"bytes of {key!r}: expected none before its start, got {offset}, {size}")
        _, found = self._reading("read", key, lambda fetcher: read_range(fetcher, offset, size, self._on_bad))
        return found

    def check(self, key: str) -> ObjectInfo | None:
        """Return what the metadata say of an object; None where there is none. No data are read."""
        with self._call() as world:
            entry = world.metadata.read(key)
        return info_of(entry) if entry is not None and entry.meta is not None else None

    def verify(self, key: str, *, progress: Progress = lambda _: None) -> Verdict:
        """Read every shard of an object, and tell which are lost or damaged; change nothing.

        Raises:
            ObjectNotFoundError: there is none.

        """
        with self._call() as world:
            for _ in range(_TRIES):
                verdict = verify(world, key, progress)
                if verdict.whole or info_of(current(world, key)[0]) == verdict.info:
                    return verdict
        raise ObjectChangedError(f"{key!r} cannot be verified: others change it all the time")

    def rebuild(self, key: str, *, progress: Progress = lambda _: None) -> Repair:
        """Make lost and damaged shards of an object anew, and bring home those that are in the wrong place.

        What is on backends that do not answer counts as lost.

        Raises:
            ObjectNotFoundError: there is none.
            DamagedError: too many shards are lost.
            NotStoredError: no backend takes what is missing; what could be repaired is.

        """
        with self._call() as world:
            world.look()
        rebuilt = self.improve(key, is_lost=lambda lane: lane.down_since is not None, progress=progress)
        check_whole(rebuilt)
        return rebuilt.repair

    def improve(
        self,
        key: str,
        *,
        is_lost: IsLost,
        deep: bool = True,
        patient: bool = True,
        progress: Progress = lambda _: None,
    ) -> Rebuilt:
        """Do what `rebuild` does as far as it can be done.

        Args:
            key: the object.
            is_lost: which backends are given up.
            deep: whether every piece is read, and damaged ones are written again.
            patient: whether backends that failed lately are asked again.
            progress: as elsewhere.

        """
        with self._call("rebuild") as world:
            rebuilt = rebuild(world, key, is_lost=is_lost, deep=deep, patient=patient, progress=progress)
            self._clean_later(world, rebuilt.entry)
        return rebuilt

    def delete(self, key: str) -> bool:
        """Delete an object and its shards; return whether there was one.

        Shards on backends that cannot be reached are deleted later.
        """
        with self._call("delete") as world:
            for _ in range(_TRIES):
                entry = world.metadata.read(key)
                if entry is None or entry.meta is None:
                    return False
                try:
                    after = world.metadata.delete(
                        key,
                        expected=entry.version,
                        leftovers=[*leftovers_of(entry.meta), *entry.leftovers],
                    )
                except MetadataConflictError:
                    continue
                self._clean_later(world, after)
                return True
        raise ObjectChangedError(f"{key!r} cannot be deleted: others change it all the time")

    def list(
        self, prefix: str = "", *, failed: Callable[[str, MetadataError], None] | None = None
    ) -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with *prefix*, in no order.

        Args:
            prefix: of their keys.
            failed: is called for an object whose metadata cannot be read, with what they are kept under;
                without it the first such object is an error.

        """
        # Whoever stops half-way keeps nobody from closing.
        with self._call() as world:
            found = world.metadata.scan(prefix, failed=failed)
        yield from map(info_of, found)

    def status(self, *, objects: bool = True) -> Status:
        """Ask every backend how it is and, with *objects*, look at the metadata of all objects."""
        with self._call() as world:
            return status_of(world, objects=objects)

    def clean(self, entry: Entry) -> None:
        """Delete what an object has left over on backends that answer."""
        with self._call() as world:
            clean(world, entry, patient=False)

    def sweep(self, *, age: float = _DAY) -> int:
        """Delete what writings that came to no end have left on backends, and return how many pieces.

        Args:
            age: the seconds since such a writing began, and since a sweep of this zstor saw it first. None
                goes on for longer than half a day.

        """
        with self._call() as world:
            return sweep(world, self._seen, age=age)

    def reload(self, config: Config) -> None:
        """Go on with another configuration; calls that run come to their end with the one before.

        Backends that it does not name any more are read from and emptied by `rebuild`, not written to.
        """
        with self._lock:
            before = self._world
            self._world = World.open(config, self._opener, before=before)
            kept = set(map(id, self._world.parts()))
            self._retired += [part for part in before.parts() if id(part) not in kept]

    def forget(self, names: Collection[str]) -> None:
        """Read no more from backends that the configuration does not name."""
        with self._lock:
            before = self._world
            lanes = {
                name: lane
                for name, lane in before.lanes.items()
                if name in before.groups or name not in names
            }
            self._world = attrs.evolve(before, lanes=lanes)
            self._retired += [lane for name, lane in before.lanes.items() if name not in lanes]

    def settle(self) -> None:
        """Wait for what is done behind those who called until now."""
        self._later.settle()

    def close(self) -> None:
        """Give back connections and threads; what runs comes to its end first."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._lock.wait_for(lambda: not self._calls)
        self._later.close()
        for part in sorted((*self._world.parts(), *self._retired), key=lambda part: isinstance(part, Lane)):
            part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _call(self, name: str = "") -> Generator[World]:
        with self._lock:
            if self._closed:
                raise ZstorError("this zstor was closed")
            self._calls += 1
            world = self._world
        well = False
        try:
            yield world
            well = True
        finally:
            with self._lock:
                self._calls -= 1
                if name:
                    self.finished[name, well] += 1
                self._lock.notify_all()

    def _reading(self, name: str, key: str, use: Callable[[Fetcher], T]) -> tuple[Entry, T]:
        """Use what reads an object; again, where it was replaced or moved meanwhile."""
        with self._call(name) as began:
            world = began
            entry, meta = current(world, key)
            for _ in range(_TRIES):
                try:
                    return entry, use(fetcher_of(world, meta))
                except DamagedError:
                    before, was = meta, world
                    # It may have moved to a backend that a newer configuration names.
                    world = self._world
                    entry, meta = current(world, key)
                    if is_same(before, meta) and world is was:
                        raise
        raise ObjectChangedError(f"{key!r} cannot be read: others change it all the time")

    def _on_bad(self, meta: ObjectMeta, position: int, found: Found) -> None:
        for shard, reason in found.damaged.items():
            self._log.warning(
                "%r: block %d, shard %d on %s: %s", meta.key, position, shard, meta.places[shard], reason
            )
        world = self._world
        self._later.do((meta.keys, position), lambda: self._mend(world, meta, position))

    def _mend(self, world: World, meta: ObjectMeta, position: int) -> None:
        entry = world.metadata.read(meta.key)
        if entry is None or entry.meta is None or not is_same(entry.meta, meta):
            return
        for shard, place in mend(world, meta, position).items():
            self._log.warning("%r: block %d, shard %d on %s: repaired", meta.key, position, shard, place)

    def _clean_later(self, world: World, entry: Entry) -> None:
        if entry.leftovers:
            self._later.do((entry.key, entry.version), lambda: clean(world, entry, patient=False))


def _check_key(key: str) -> None:
    try:
        if key.encode():
            return
        got = "an empty one"
    except UnicodeEncodeError:
        got = f"{key!r}, which has characters that are none"
    raise ZstorError(f"the key of an object: expected a text, got {got}", hint="Give another key")
