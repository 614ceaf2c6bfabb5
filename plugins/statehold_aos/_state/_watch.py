from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Final

import attrs

from statehold_aos._state._file import NAME
from statehold_aos._state._inotify import Event, Inotify


class Watch:
    """Folders that are watched for changes of their state file.

    The folder is watched and not the file, so that a file which replaces another one is seen.

    Args:
        inotify: what tells of changes; others may use it, too.

    """

    def __init__(self, inotify: Inotify | None = None) -> None:
        self._inotify: Final = inotify or Inotify()
        self._name: Final = NAME.encode()
        self._numbers: Final[set[int]] = set()
        self._found: set[int] = set()
        self._lost = False
        self._is_rung = False
        self._bell: Final = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll: Final = select.epoll()
        try:
            source = self._inotify.join(self)
        except OSError:
            self._epoll.close()
            os.close(self._bell)
            raise
        # Of all who share it, one is woken: that one rings the bells of the others.
        self._epoll.register(source, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        self._epoll.register(self._bell, select.EPOLLIN)
        self.descriptor: Final = self._epoll.fileno()

    def add(self, folder: Path) -> int:
        """Watch a folder, and return the number of its watch.

        Raises:
            OSError: it is not there, or there are no more watches.

        """
        number = self._inotify.add(folder, self)
        self._numbers.add(number)
        return number

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    def drop(self, number: int) -> None:
        """Watch a folder no more; one that is gone is no error."""
        if number in self._numbers:
            self._numbers.remove(number)
            self._inotify.drop(number, self)

    def read(self) -> tuple[set[int], bool]:
        """Return the numbers of folders whose state file has changed, and whether events were lost."""
        with self._inotify.reading(self):
            if self._is_rung:
                self._is_rung = False
                os.eventfd_read(self._bell)
            found, self._found = self._found, set()
            lost, self._lost = self._lost, False
        return found, lost

    def close(self) -> None:
        """Watch nothing any more."""
        self._inotify.leave(self)
        self._epoll.close()
        os.close(self._bell)

    # -- What inotify tells, whoever reads it ------------------------------------------------------------

    def happened(self, event: Event) -> bool:
        """Take note of a change."""
        if event.name is None:
            self._numbers.discard(event.number)
        elif event.name != self._name:
            return False
        self._found.add(event.number)
        return True

    def lost(self) -> None:
        """Take note that changes were missed."""
        self._lost = True

    def ring(self) -> None:
        """Let who waits for the descriptor look."""
        if not self._is_rung:
            self._is_rung = True
            os.eventfd_write(self._bell, 1)


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
