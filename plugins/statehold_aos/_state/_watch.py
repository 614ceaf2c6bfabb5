from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path
from typing import Final

import attrs

from statehold_aos._state._file import NAME

_MODIFY: Final = 0x2
_CLOSE_WRITE: Final = 0x8
_MOVED_FROM: Final = 0x40
_MOVED_TO: Final = 0x80
_DELETE: Final = 0x200
_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000
_ONLYDIR: Final = 0x01000000
_MASK: Final = _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE | _ONLYDIR
_EVENT: Final = struct.Struct("iIII")
_BUFFER: Final = 65_536


class Watch:
    """Folders that are watched for changes of their state file, all with one descriptor of inotify.

    The folder is watched and not the file, so that a file which replaces another one is seen.
    """

    def __init__(self) -> None:
        self._libc: Final = ctypes.CDLL(None, use_errno=True)
        descriptor = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if descriptor < 0:
            raise _error("a watch of folders")
        self.descriptor: Final[int] = descriptor
        self._name: Final = NAME.encode()
        self._numbers: Final[set[int]] = set()

    def add(self, folder: Path) -> int:
        """Watch a folder, and return the number of its watch.

        Raises:
            OSError: it is not there, or there are no more watches.

        """
        number: int = self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), _MASK)
        if number < 0:
            raise _error(str(folder))
        self._numbers.add(number)
        return number

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    def drop(self, number: int) -> None:
        """Watch a folder no more; one that is gone is no error."""
        if number in self._numbers:
            self._numbers.remove(number)
            self._libc.inotify_rm_watch(self.descriptor, number)

    def read(self) -> tuple[set[int], bool]:
        """Return the numbers of folders whose state file has changed, and whether events were lost."""
        found: set[int] = set()
        lost = False
        while True:
            try:
                data = os.read(self.descriptor, _BUFFER)
            except BlockingIOError:
                return found, lost
            at = 0
            while at < len(data):
                number, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                name = data[at : at + length]
                at += length
                lost = lost or bool(mask & _OVERFLOW)
                if mask & _IGNORED:
                    if number in self._numbers:  # The folder is gone, and its file with it.
                        self._numbers.remove(number)
                        found.add(number)
                elif name.rstrip(b"\0") == self._name:
                    found.add(number)

    def close(self) -> None:
        """Watch nothing any more."""
        os.close(self.descriptor)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    text = os.strerror(number)
    if number in (errno.ENOSPC, errno.EMFILE):
        text += ": raise fs.inotify.max_user_watches and max_user_instances (sysctl)"
    return OSError(number, text, what)


@attrs.frozen(kw_only=True)
class Quiet:
    """When a change is looked at: when nothing has followed for a while, but not later than a limit.

    Attributes:
        seconds: without another change.
        most: after the first change.

    """

    seconds: float = 1.0
    most: float = 10.0
    _first: dict[object, float] = attrs.field(factory=dict, init=False)

    def touched(self, what: object, now: float) -> float:
        """Take note of a change, and return when it is to be looked at unless another one follows."""
        first = self._first.setdefault(what, now)
        return min(now + self.seconds, first + self.most)

    def done(self, what: object) -> None:
        """Take note that it was looked at."""
        self._first.pop(what, None)
