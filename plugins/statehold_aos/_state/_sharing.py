from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from statehold_aos._sharing import Pool

if TYPE_CHECKING:
    from statehold_aos._state._inotify import Inotify
    from statehold_aos._state._settings import Settings
    from statehold_aos._state._states import States


@attrs.define(eq=False)
class Common:
    """What storages of states have in common: the states, and what hears of changes of all of them."""

    pool: Pool[States, Settings] = attrs.field(factory=Pool, init=False)

    @cached_property
    def inotify(self) -> Inotify:
        """What tells all of them of changed files: a user may have few of its kind."""
        from statehold_aos._state._inotify import Inotify  # noqa: PLC0415 - brings ctypes

        return Inotify()
