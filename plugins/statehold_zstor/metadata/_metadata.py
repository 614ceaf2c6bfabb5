from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs

from statehold_zstor.backends import Backend
from statehold_zstor.codec import MasterKey
from statehold_zstor.metadata._values import Entry, Leftover, ObjectMeta, Version


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

    Reading takes `minimal` of the backends; writing takes more than half of them, and as many that any two
    such sets have `minimal` in common (`quorum`).

    Args:
        backends: as many as are kept in, in order; they are not closed with it.
        minimal: how many of them suffice to read.
        key: what metadata are encrypted with.
        prefix: what keys on the backends begin with.

    """

    def __init__(self, backends: Sequence[Backend], *, minimal: int, key: MasterKey, prefix: str) -> None:
        self.backends = tuple(backends)
        self.minimal = minimal
        self.prefix = prefix
        self._key = key

    @property
    def quorum(self) -> int:
        """How many backends have to take a write at least."""
        return max(len(self.backends) // 2 + 1, -(-(len(self.backends) + self.minimal) // 2))

    def read(self, key: str) -> Entry | None:
        """Return the metadata of the object *key*; None where there is none, or none any more.

        Raises:
            MetadataUnavailableError: fewer than `minimal` backends answer.
            MetadataKeyError: they were encrypted with another key.

        """
        raise NotImplementedError

    def write(self, meta: ObjectMeta, *, expected: Version | None, minimum: int | None = None) -> Entry:
        """Put *meta* in the place of those whose version is *expected*; None for an object that is new.

        Args:
            meta: of the object `meta.key`.
            expected: the version that was read.
            minimum: how many backends must have them; all of them, unless told otherwise. At least `quorum`.

        Raises:
            MetadataConflictError: another version is there: somebody else was first.
            MetadataUnavailableError: fewer than *minimum* took them. Where `maybe` is set they may have been
                written, and be found by the next who reads.

        """
        raise NotImplementedError

    def delete(
        self,
        key: str,
        *,
        expected: Version,
        leftovers: Sequence[Leftover] = (),
        minimum: int | None = None,
    ) -> Entry:
        """Delete the metadata whose version is *expected*; raises as `write`.

        While there are *leftovers* `scan` yields an entry without an object for them. `forget` ends that.
        """
        raise NotImplementedError

    def forget(self, key: str, *, expected: Version, leftovers: Sequence[Leftover]) -> Entry:
        """Put *leftovers* in the place of those of an object that was deleted; without any nothing stays.

        Raises as `write`.
        """
        raise NotImplementedError

    def scan(self, prefix: str = "", *, deleted: bool = False) -> Iterator[Entry]:
        """Yield the metadata of all objects whose keys begin with *prefix*, in no order.

        Args:
            prefix: of their names.
            deleted: whether those of deleted objects, of which leftovers are still there, are among them.

        Raises:
            MetadataUnavailableError: so few backends answer that objects may be left out.

        """
        raise NotImplementedError

    def refresh(self, key: str) -> bool:
        """Bring the metadata of an object to all backends, new ones too; False if nothing was missing.

        Raises as `write`.
        """
        raise NotImplementedError

    def refresh_all(self, progress: Callable[[int], None] = lambda _: None) -> Refreshed:
        """Bring all metadata to all backends, new ones too; *progress* gets how many were seen.

        Raises:
            MetadataUnavailableError: so few backends answer that objects may be left out.

        """
        raise NotImplementedError
