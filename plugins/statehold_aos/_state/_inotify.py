from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

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
#: Bytes of the largest event.
_LARGEST: Final = _EVENT.size + 256


class Event(NamedTuple):
    """What has happened in a folder.

    Attributes:
        number: of the watch of the folder.
        name: of the file; None where the watch has ended.

    """

    number: int
    name: bytes | None


class Watcher(Protocol):
    """Hears of folders; with a lock held, so it returns at once."""

    def happened(self, event: Event) -> bool:
        """Hear of a folder that it watches, and say whether it cares."""

    def lost(self) -> None:
        """Hear that events were lost."""

    def ring(self) -> None:
        """Wake who is to look at what was heard, once all of it is."""


class Inotify:
    """One instance of inotify, which any number of watchers share: a user may have 128 of them.

    Whoever is woken reads the events, and lets the others hear of theirs.
    """

    def __init__(self) -> None:
        self._libc: Final = ctypes.CDLL(None, use_errno=True)
        self._lock: Final = threading.RLock()
        self._watchers: Final[dict[int, list[Watcher]]] = {}
        self._all: Final[list[Watcher]] = []
        self._descriptor = -1

    def join(self, watcher: Watcher) -> int:
        """Let *watcher* take part, and return the descriptor that can be read when something happens.

        Raises:
            OSError: there are no more instances.

        """
        with self._lock:
            if not self._all:
                self._descriptor = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
                if self._descriptor < 0:
                    raise _error("a watch of folders")
            self._all.append(watcher)
            return self._descriptor

    def leave(self, watcher: Watcher) -> None:
        """Let *watcher* take part no more; the last one ends it."""
        with self._lock:
            self._all.remove(watcher)
            if self._all:
                for number in [one for one, watchers in self._watchers.items() if watcher in watchers]:
                    self.drop(number, watcher)
            else:
                self._watchers.clear()
                os.close(self._descriptor)

    def add(self, folder: Path, watcher: Watcher) -> int:
        """Watch a folder, and return the number of its watch.

        Raises:
            OSError: it is not there, or there are no more watches.

        """
        with self._lock:
            number: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _MASK)
            if number < 0:
                raise _error(str(folder))
            watchers = self._watchers.setdefault(number, [])
            if watcher not in watchers:
                watchers.append(watcher)
            return number

    def drop(self, number: int, watcher: Watcher) -> None:
        """Watch a folder no more; one that is gone is no error."""
        with self._lock:
            watchers = self._watchers.get(number, [])
            if watcher in watchers:
                watchers.remove(watcher)
                if not watchers:
                    del self._watchers[number]
                    self._libc.inotify_rm_watch(self._descriptor, number)

    @contextmanager
    def reading(self, reader: Watcher) -> Iterator[None]:
        """Let all hear of what has happened, and nobody of more in the block; *reader* need not be woken."""
        with self._lock:
            heard: set[Watcher] = set()
            for number, mask, name in self._events():
                if mask & _OVERFLOW:
                    for watcher in self._all:
                        watcher.lost()
                    heard.update(self._all)
                    continue
                # Where the folder is gone, its file is gone with it.
                is_gone = mask & _IGNORED
                watchers = self._watchers.pop(number, ()) if is_gone else self._watchers.get(number, ())
                for watcher in watchers:
                    if watcher.happened(Event(number, None if is_gone else name)):
                        heard.add(watcher)
            for watcher in heard - {reader}:
                watcher.ring()
            yield

    def _events(self) -> Iterator[tuple[int, int, bytes]]:
        with suppress(BlockingIOError):
            while True:
                data = os.read(self._descriptor, _BUFFER)
                at = 0
                while at < len(data):
                    number, mask, _, length = _EVENT.unpack_from(data, at)
                    at += _EVENT.size
                    yield number, mask, data[at : at + length].rstrip(b"\0")
                    at += length
                if len(data) < _BUFFER - _LARGEST:
                    return  # there was no more


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    text = os.strerror(number)
    if number in (errno.ENOSPC, errno.EMFILE):
        text += ": raise fs.inotify.max_user_watches and max_user_instances (sysctl)"
    return OSError(number, text, what)
