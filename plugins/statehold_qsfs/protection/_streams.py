from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from statehold_zdb.engine import Part


class Limited(io.RawIOBase):
    """The first bytes of a file, and then all of another one."""

    def __init__(self, first: BinaryIO, size: int, second: BinaryIO, second_size: int) -> None:
        self._parts = [(first, size), (second, second_size)]

    def readable(self) -> bool:
        """As of any stream that can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """As of any stream; `OSError` where a file has become shorter."""
        target = memoryview(cast("bytearray", buffer)).cast("B")
        while self._parts:
            file, left = self._parts[0]
            if not left:
                self._parts.pop(0)
                continue
            data = file.read(min(left, len(target)))
            if not data:
                raise OSError("a segment became shorter while it was read")
            target[: len(data)] = data
            self._parts[0] = file, left - len(data)
            return len(data)
        return 0


@contextlib.contextmanager
def whole(part: Part, instead: Iterable[bytes] | None = None) -> Iterator[tuple[BinaryIO, int]]:
    """Yield the data and then the index file of a closed segment as one stream, and the index's bytes.

    The data are *instead*, if it is given. FileNotFoundError if the files are not here any more, or are
    others by now.
    """
    with contextlib.ExitStack() as files:
        data, index = files.enter_context(part.open()), files.enter_context(part.open_index())
        if instead is not None:
            data = files.enter_context(tempfile.TemporaryFile(dir=Path(part.path).parent))
            data.writelines(instead)
            data.seek(0)
        size = index.seek(0, io.SEEK_END)
        index.seek(0)
        with io.BufferedReader(Limited(data, part.end, index, size), 1024 * 1024) as stream:
            yield cast("BinaryIO", stream), size
