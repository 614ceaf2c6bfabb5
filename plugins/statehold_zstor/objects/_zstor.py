from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from statehold_zstor.objects._info import ObjectInfo, Repair, Status, Verdict

Progress = Callable[[int], None]


class Zstor:
    """Objects on the backends of a configuration: compressed, encrypted, in shards of which some may be lost.

    Any number of threads and processes may use the same backends at once: who reads an object gets one
    generation of it, whole, never a mix of two. Memory is bounded, however large an object is.

    Args:
        config: the configuration, or the file that it is in.

    """

    def __init__(self, config: Path) -> None:
        raise NotImplementedError

    def store(
        self,
        key: str,
        source: bytes | memoryview | Path | BinaryIO,
        *,
        metadata: Mapping[str, str] | None = None,
        expected: int | None = None,
        progress: Progress | None = None,
    ) -> ObjectInfo:
        """Keep the bytes of *source* under *key*, in the place of what is there.

        When it returns, the object has its full redundancy, or that which the configuration's `acknowledge`
        says, and a repair of the rest is noted where a restart finds it.

        Args:
            key: any text.
            source: the bytes, a file, or a stream that is read to its end.
            metadata: texts to keep with it.
            expected: the generation that must be there now, 0 for none; None for any.
            progress: is called with the bytes done since it was called last.

        Raises:
            NotStoredError: the redundancy was not reached. What was there before is there still.
            ObjectChangedError: another generation than *expected* is there.

        """
        raise NotImplementedError

    def retrieve(self, key: str, target: Path, *, progress: Progress | None = None) -> ObjectInfo:
        """Write the bytes under *key* to the file *target*, which appears when all of it is right.

        Raises:
            ObjectNotFoundError: there is none.
            DamagedError: too many shards are lost; no file is written.

        """
        raise NotImplementedError

    def read(self, key: str, offset: int = 0, size: int | None = None) -> bytes:
        """Return the bytes from *offset* on, at most *size*, fetching only the blocks that have them.

        Raises:
            ObjectNotFoundError: there is none.
            DamagedError: too many shards of a block are lost.

        """
        raise NotImplementedError

    def check(self, key: str) -> ObjectInfo | None:
        """Return what the metadata say of an object; None where there is none. No data are read."""
        raise NotImplementedError

    def verify(self, key: str, *, progress: Progress | None = None) -> Verdict:
        """Read every shard of an object, and tell which are lost or damaged; change nothing.

        Raises:
            ObjectNotFoundError: there is none.

        """
        raise NotImplementedError

    def rebuild(self, key: str, *, progress: Progress | None = None) -> Repair:
        """Make lost and damaged shards of an object anew, and bring home those that are in the wrong place.

        Raises:
            ObjectNotFoundError: there is none.
            DamagedError: too many shards are lost.
            NotStoredError: no backend takes what is missing.

        """
        raise NotImplementedError

    def delete(self, key: str) -> bool:
        """Delete an object and its shards; return whether there was one.

        Shards on backends that cannot be reached are deleted later.
        """
        raise NotImplementedError

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with *prefix*, in no order."""
        raise NotImplementedError

    def status(self) -> Status:
        """Ask every backend how it is."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back connections and threads; what runs comes to its end first."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
