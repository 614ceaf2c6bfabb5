from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from statehold.sdk import FreedError
from statehold_aos._databases import Lease

if TYPE_CHECKING:
    from statehold_aos.launcher._launcher import Launcher
    from statehold_aos.launcher._stores import Stores


class Shared:
    """A launcher that several storages use together, such as those of two versions of an app."""

    def __init__(self, launcher: Launcher, lease: Lease) -> None:
        self.launcher: Final = launcher
        self.stores: Final[list[Stores]] = []
        self._lease: Final = lease
        self._thread: Final = threading.Thread(target=launcher.run, name="aos-launcher", daemon=True)

    def begin(self) -> None:
        """Start services."""
        self._thread.start()

    def end(self) -> None:
        """Have all services end, and give everything back, whatever goes wrong with one of them."""
        self.launcher.stop()
        self._thread.join()
        try:
            self.launcher.close()
        finally:
            self._lease.release()


@attrs.define(eq=False)
class LauncherLease:
    """The use of a launcher that others may use, too; the last one to give it back ends its services."""

    _pool: Pool
    _key: tuple[str, str]
    _shared: Shared
    _stores: Stores
    _is_released: bool = False

    @property
    def launcher(self) -> Launcher:
        """The launcher, until `release`."""
        if self._is_released:
            raise FreedError("a launcher was used after it had been given back")
        return self._shared.launcher

    def release(self) -> None:
        """Give it back; a second time does nothing."""
        if not self._is_released:
            self._is_released = True
            self._pool.give_back(self._key, self._stores)


@attrs.define(eq=False)
class Pool:
    """The launchers at work, that of one partition of one database once.

    It uses the storages of who came last, and is still there.
    """

    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _all: dict[tuple[str, str], Shared] = attrs.field(factory=dict, init=False)

    def lease(
        self, key: tuple[str, str], stores: Stores, make: Callable[[], Shared], lease: Lease
    ) -> LauncherLease:
        """Return the launcher of *key*, made if nobody has it; *lease* is for it, or given back."""
        with self._lock:
            shared = self._all.get(key)
            if shared is None:
                shared = self._all[key] = make()
                shared.begin()
            else:
                lease.release()
                shared.launcher.adopt(stores)
            shared.stores.append(stores)
            return LauncherLease(self, key, shared, stores)

    def give_back(self, key: tuple[str, str], stores: Stores) -> None:
        """End the launcher of *key* if nobody else has it."""
        with self._lock:
            shared = self._all[key]
            shared.stores[:] = [one for one in shared.stores if one is not stores]
            if shared.stores:
                shared.launcher.adopt(shared.stores[-1])
                return
            del self._all[key]
            shared.end()
