from __future__ import annotations

import threading
import time
from typing import Any

import attrs

from statehold.sdk import Clock, IStateStorage, StorageContext, StorageError
from statehold_aos._databases import Databases, Lease
from statehold_aos._sharing import Pool, Shared
from statehold_aos._storage._opening import lease, place_of
from statehold_aos.launcher._config import LauncherConfig
from statehold_aos.launcher._images import Images
from statehold_aos.launcher._installed import Installed
from statehold_aos.launcher._launcher import Launcher
from statehold_aos.launcher._processes import choose_runner
from statehold_aos.launcher._storage import LauncherStorage
from statehold_aos.launcher._stores import Stores


@attrs.frozen
class _Clock:
    """The time as the app sees it, but what passes while a process does something: that is real."""

    _clock: Clock

    def now(self) -> float:
        return self._clock.now()

    def monotonic(self) -> float:
        return time.monotonic()


def open_storage(ctx: StorageContext, databases: Databases, pool: Pool[Launcher, Stores]) -> IStateStorage:
    """Clean up what a crash has left, and run the services of those who are there from now on.

    Raises:
        StorageError: the database cannot be opened, or services cannot be run as they are to be.

    """
    config: LauncherConfig = ctx.config or LauncherConfig()
    storage: Any = ctx.storages["ServiceStorage"]
    state: Any = ctx.storages["ServiceState"]
    stores = Stores(storage, state)
    place = place_of(ctx)
    folder = ctx.data_folder.absolute()
    taken = lease(ctx, place, databases)

    def make() -> Shared[Launcher, Stores]:
        try:
            runner = choose_runner(config.Runner, folder / "run", isolation=config.Isolation)
        except OSError as error:
            raise StorageError(f"{ctx.storage}: {error.strerror}") from error
        ctx.logger.info("%s: services are run as: %s", ctx.storage, runner.name)
        launcher = Launcher(
            name=ctx.storage,
            folder=folder,
            installed=Installed(
                tables=taken.database.of, images=Images(folder / "services"), settings=config
            ),
            stores=stores,
            runner=runner,
            clock=_Clock(ctx.clock),
            logger=ctx.logger,
        )
        return _at_work(launcher, taken)

    try:
        home = f"{ctx.app}/{ctx.storage}/{ctx.partition}"
        shared = pool.lease((place.backend().key, home), stores, make, taken)
    except BaseException:
        taken.release()
        raise
    return LauncherStorage(ctx, shared)


def _at_work(launcher: Launcher, lease: Lease) -> Shared[Launcher, Stores]:
    thread = threading.Thread(target=launcher.run, name="aos-launcher", daemon=True)
    thread.start()

    def end() -> None:
        """Have all services end, and give everything back, whatever goes wrong with one of them."""
        launcher.stop()
        thread.join()
        try:
            launcher.close()
        finally:
            lease.release()

    return Shared(launcher, end)
