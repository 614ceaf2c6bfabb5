from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import attrs

from statehold.sdk import Key, Value


class Member(Protocol):
    """A cache that keeps the same rows as the other members."""

    def rows(self) -> list[tuple[Key, Value]]:
        """Return all rows, the least recently used first."""

    def keep(self, rows: Sequence[tuple[Key, Value]]) -> None:
        """Put rows, which may be those of another version."""


@attrs.define(eq=False)
class Family:
    """The caches of one partition's versions that are open at once: what one writes, all keep."""

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _members: list[Member] = attrs.field(factory=list, init=False)

    def join(self, member: Member, *, heir_of: Member | None) -> None:
        """Add a member, with the rows of the one it replaces."""
        with self._lock:
            if heir_of is not None:
                member.keep(heir_of.rows())
            self._members.append(member)

    def leave(self, member: Member) -> None:
        """Remove a member."""
        with self._lock:
            self._members.remove(member)

    def put(self, rows: Sequence[tuple[Key, Value]]) -> None:
        """Let every member keep *rows*."""
        with self._lock:
            for member in self._members:
                member.keep(rows)
