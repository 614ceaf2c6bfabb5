from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

import attrs

from statehold.sdk import FreedError
from statehold_aos._databases import Lease

if TYPE_CHECKING:
    from statehold_aos._state._inotify import Inotify
    from statehold_aos._state._settings import Settings
    from statehold_aos._state._states import States


class Shared:
    """States that several storages look after together, such as those of two versions of an app."""

    def __init__(self, states: States, lease: Lease) -> None:
        self.states: Final = states
        self.settings: Final[list[Settings]] = []
        self._lease: Final = lease
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(
            target=states.run, args=(self._stop,), name="aos-states", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Look after nothing any more."""
        self._stop.set()
        self.states.wake()
        self._thread.join()
        self.states.close()
        self._lease.release()


@attrs.define(eq=False)
class StatesLease:
    """The use of states that others may use, too; the last one to give it back ends it."""

    _pool: Pool
    _key: tuple[str, str]
    _shared: Shared
    _settings: Settings
    _is_released: bool = False

    @property
    def states(self) -> States:
        """The states, until `release`."""
        if self._is_released:
            raise FreedError("states of services were used after they had been given back")
        return self._shared.states

    def release(self) -> None:
        """Give them back; a second time does nothing."""
        if not self._is_released:
            self._is_released = True
            self._pool.give_back(self._key, self._settings)


@attrs.define(eq=False)
class Pool:
    """The states that are looked after, those of one partition of one database once.

    The settings of who came last, and is still there, count.
    """

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _all: dict[tuple[str, str], Shared] = attrs.field(factory=dict, init=False)

    @cached_property
    def inotify(self) -> Inotify:
        """What tells all of them of changed files: a user may have few of its kind."""
        from statehold_aos._state._inotify import Inotify  # noqa: PLC0415 - brings ctypes

        return Inotify()

    def lease(
        self, key: tuple[str, str], settings: Settings, make: Callable[[], Shared], lease: Lease
    ) -> StatesLease:
        """Return the states of *key*, made if nobody has them; *lease* is for these, or given back."""
        with self._lock:
            shared = self._all.get(key)
            if shared is None:
                shared = self._all[key] = make()
            else:
                lease.release()
                shared.states.adopt(settings)
            shared.settings.append(settings)
            return StatesLease(self, key, shared, settings)

    def give_back(self, key: tuple[str, str], settings: Settings) -> None:
        """End the states of *key* if nobody else has them."""
        with self._lock:
            shared = self._all[key]
            shared.settings[:] = [one for one in shared.settings if one is not settings]
            if shared.settings:
                shared.states.adopt(shared.settings[-1])
                return
            del self._all[key]
            shared.end()
