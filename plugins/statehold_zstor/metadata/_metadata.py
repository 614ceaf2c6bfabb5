from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeVar

import attrs
import msgspec

from statehold_zstor.backends import Backend, BackendError
from statehold_zstor.codec import MasterKey
from statehold_zstor.config import quorum_of
from statehold_zstor.metadata._answers import Answer
from statehold_zstor.metadata._coding import Coding, Record, Written, id_of
from statehold_zstor.metadata._errors import (
    MetadataConflictError,
    MetadataError,
    MetadataUnavailableError,
)
from statehold_zstor.metadata._fan import Fan
from statehold_zstor.metadata._register import Outcome, Register
from statehold_zstor.metadata._values import Entry, Leftover, ObjectMeta, Version

T = TypeVar("T")

#: How many objects are read at once where all are.
_AT_ONCE: Final = 8
_AHEAD: Final = 64


@attrs.frozen(kw_only=True)
class Refreshed:
    """What `refresh_all` did.

    Attributes:
        seen: how many objects there were.
        repaired: how many of them lacked something on a backend, and do not any more.
        failed: what could not be done, by object: its name, or what its metadata are kept under.

    """

    seen: int
    repaired: int
    failed: dict[str, str]


class Metadata:
    """The metadata of all objects, encrypted and spread over backends of their own.

    Any number of threads and processes may use the same backends at once: who reads gets the metadata of an
    object as one of them wrote them, whole. What a writer that died has left is finished or undone by whoever
    comes next.

    Reading takes `minimal` of the backends, writing `acknowledge` of them. What was acknowledged is read by
    all who read later. A write that failed with `maybe` may be read; and where fewer than `quorum` backends
    answer, it may not be there any more for who reads later.

    Args:
        backends: as many as are kept in, in order; they are not closed with it.
        minimal: how many of them suffice to read.
        key: what metadata are encrypted with.
        prefix: what keys on the backends begin with.
        acknowledge: how many of them must have a write; all, unless told otherwise. At least `quorum`.

    """

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        minimal: int,
        key: MasterKey,
        prefix: str,
        acknowledge: int | None = None,
    ) -> None:
        self.backends = tuple(backends)
        self.minimal = minimal
        self.prefix = prefix
        count = len(self.backends)
        self.acknowledge = max(self.quorum, min(count, acknowledge or count))
        self._path = f"{prefix}/meta/"
        self._fan = Fan(self.backends)
        self._coding = Coding(key, minimal=minimal, count=count)
        self._register = Register(self._fan, self._coding, self._path, count, self.quorum, self.acknowledge)

    @property
    def quorum(self) -> int:
        """How many backends have to take a write at least."""
        return quorum_of(len(self.backends), self.minimal)

    def read(self, key: str) -> Entry | None:
        """Return the metadata of the object *key*; None where there is none, or none any more.

        Raises:
            MetadataUnavailableError: too few backends answer.
            MetadataKeyError: they were encrypted with another key.

        """
        entry = self._entry(self._register.read(id_of(key)))
        return entry if entry is not None and entry.meta is not None else None

    def write(self, meta: ObjectMeta, *, expected: Version | None) -> Entry:
        """Put *meta* in the place of those whose version is *expected*; None for an object that is new.

        What is left over of an object of that name that was deleted is added to its leftovers.

        Args:
            meta: of the object `meta.key`.
            expected: the version that was read.

        Raises:
            MetadataConflictError: another version is there: somebody else was first, and these were not
                written.
            MetadataUnavailableError: fewer than `acknowledge` backends took them. Where `maybe` is set they
                may have been written, and be found by the next who reads.

        """
        id_ = id_of(meta.key)

        def change(current: Written | None) -> Written:
            _check(meta.key, current, expected)
            found = meta
            if current is not None and current.record.leftovers:
                leftovers = (*meta.leftovers, *current.record.leftovers)
                found = msgspec.structs.replace(meta, leftovers=leftovers)
            return self._coding.write(id_, Record(meta.key, found), current=current)

        return self._written(self._register.propose(id_, change, needed=self.acknowledge))

    def delete(self, key: str, *, expected: Version, leftovers: Sequence[Leftover] = ()) -> Entry:
        """Delete the metadata whose version is *expected*; raises as `write`.

        While there are *leftovers* `scan` yields an entry without an object for them. `forget` ends that.
        """

        def check(current: Written | None) -> None:
            _check(key, current, expected)

        return self._bury(key, check, leftovers)

    def forget(self, key: str, *, expected: Version, leftovers: Sequence[Leftover] = ()) -> Entry:
        """Put *leftovers* in the place of those of an object that was deleted; without any nothing stays.

        Raises as `write`.
        """

        def check(current: Written | None) -> None:
            if current is None or current.record.meta is not None or current.version != expected:
                raise _conflict(key)

        return self._bury(key, check, leftovers)

    def scan(
        self,
        prefix: str = "",
        *,
        deleted: bool = False,
        failed: Callable[[str, MetadataError], None] | None = None,
    ) -> Iterator[Entry]:
        """Yield the metadata of all objects whose keys begin with *prefix*, in no order.

        Args:
            prefix: of their names.
            deleted: whether those of deleted objects, of which leftovers are still there, are among them.
            failed: is called for an object whose metadata cannot be read, with what they are kept under;
                without it the first such object ends the scan.

        Raises:
            MetadataUnavailableError: so few backends answer that objects may be left out.

        """
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="zstor metadata scan") as threads:
            for id_, future in _ahead(threads, self._register.read, self._ids()):
                try:
                    entry = self._entry(future.result())
                except MetadataError as error:
                    if failed is None:
                        raise
                    failed(id_, error)
                    continue
                if entry is None or not entry.key.startswith(prefix):
                    continue
                if entry.meta is not None or (deleted and entry.leftovers):
                    yield entry

    def refresh(self, key: str) -> bool:
        """Bring the metadata of an object to all backends, new ones too; False if nothing was missing.

        Raises as `write`; and does for those that answer what can be done.
        """
        _, repaired, missing = self._refresh(id_of(key))
        taken = len(self.backends) - len(missing)
        if taken < self.acknowledge:
            raise MetadataUnavailableError(
                f"metadata: {self.acknowledge} of {len(self.backends)} backends must have them, {taken} do; "
                f"they are not on {', '.join(missing)}",
                hint="Bring backends of the metadata back, or lower [acknowledge] metadata",
            )
        return repaired

    def refresh_all(self, progress: Callable[[int], None] = lambda _: None) -> Refreshed:
        """Bring all metadata to all backends, new ones too; *progress* gets how many were seen.

        Raises:
            MetadataUnavailableError: so few backends answer that objects may be left out.

        """
        seen = repaired = 0
        failed: dict[str, str] = {}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="zstor metadata refresh") as threads:
            for id_, future in _ahead(threads, self._refresh, self._ids()):
                seen += 1
                try:
                    name, changed, missing = future.result()
                except MetadataError as error:
                    failed[id_] = error.message
                else:
                    repaired += changed
                    if missing:
                        failed[name] = f"is not on {', '.join(missing)}"
                progress(seen)
        return Refreshed(seen=seen, repaired=repaired, failed=failed)

    def close(self) -> None:
        """Give its threads back, once the calls that they are in have ended."""
        self._fan.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bury(
        self, key: str, check: Callable[[Written | None], None], leftovers: Sequence[Leftover]
    ) -> Entry:
        id_ = id_of(key)

        def change(current: Written | None) -> Written:
            check(current)
            return self._coding.write(id_, Record(key, None, tuple(leftovers)), current=current)

        outcome = self._register.propose(id_, change, needed=self.acknowledge)
        if not leftovers and len(outcome.raws) == len(self.backends):
            self._register.remove(id_, outcome.raws)
        return self._written(outcome)

    def _refresh(self, id_: str) -> tuple[str, bool, tuple[str, ...]]:
        """Return the name of an object, whether something was repaired, and the backends that lack it."""
        found = self._register.look(id_)
        answers = {number: each for number, each in found.items() if isinstance(each, Answer)}
        if len(answers) == len(self.backends) and self._is_whole(answers):
            return id_, False, ()
        outcome = self._register.propose(id_, lambda current: current, needed=self.quorum, purge=True)
        written = outcome.written
        if written is None:
            return id_, True, ()
        if written.record.empty and not outcome.missing:
            self._register.remove(id_, outcome.raws)
        before = {
            number
            for number, each in answers.items()
            if each.state is not None
            and each.state.accepted is not None
            and each.state.accepted.version == written.version
        }
        repaired = bool(frozenset(outcome.raws) - before)
        return written.record.key, repaired, self._names(outcome.missing)

    def _is_whole(self, answers: dict[int, Answer]) -> bool:
        """Whether all backends have the same, each its own piece."""
        versions = set()
        for number, answer in answers.items():
            piece = answer.state.accepted if answer.state is not None else None
            if piece is None or piece.empty or piece.index != number:
                return False
            if (piece.minimal, piece.count) != (self.minimal, len(self.backends)):
                return False
            versions.add(piece.version)
        return len(versions) == 1

    def _ids(self) -> Iterator[str]:
        """Yield what the metadata of each object are kept under, once."""
        seen: set[bytes] = set()
        silent: list[BackendError] = []
        for backend in self.backends:
            try:
                for key in backend.keys(self._path):
                    id_ = key[len(self._path) :]
                    try:
                        short = bytes.fromhex(id_)
                    except ValueError:
                        continue
                    if short not in seen:
                        seen.add(short)
                        yield id_
            except BackendError as error:
                silent.append(error)
        if len(silent) >= self.acknowledge or len(self.backends) - len(silent) < self.minimal:
            raise MetadataUnavailableError(
                f"not all metadata can be listed: {'; '.join(error.message for error in silent)}",
                hint="Bring backends of the metadata back",
            )

    def _entry(self, outcome: Outcome) -> Entry | None:
        return None if outcome.written is None else self._written(outcome)

    def _written(self, outcome: Outcome) -> Entry:
        written = outcome.written
        assert written is not None  # noqa: S101 - those who call have written it
        record = written.record
        return Entry(
            key=record.key,
            meta=record.meta,
            leftovers=record.leftovers if record.meta is None else record.meta.leftovers,
            version=written.version,
            missing=self._names(outcome.missing),
        )

    def _names(self, numbers: frozenset[int]) -> tuple[str, ...]:
        return tuple(self.backends[number].name for number in sorted(numbers))


def _check(key: str, current: Written | None, expected: Version | None) -> None:
    """Raise MetadataConflictError if what is there is not what is *expected*."""
    live = current if current is not None and current.record.meta is not None else None
    if (live.version if live is not None else None) != expected:
        raise _conflict(key)


def _conflict(key: str) -> MetadataConflictError:
    return MetadataConflictError(
        f"{key}: somebody else has written its metadata meanwhile", hint="Read them again"
    )


def _ahead(
    threads: ThreadPoolExecutor, work: Callable[[str], T], ids: Iterator[str]
) -> Iterator[tuple[str, Future[T]]]:
    """Yield the future of *work* for each of *ids*; some are begun before their turn comes."""
    begun: deque[tuple[str, Future[T]]] = deque()
    try:
        for id_ in ids:
            begun.append((id_, threads.submit(work, id_)))
            if len(begun) >= _AHEAD:
                yield begun.popleft()
        while begun:
            yield begun.popleft()
    finally:
        for _, future in begun:
            future.cancel()
