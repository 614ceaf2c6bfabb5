from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import attrs

from statehold.events import PartitionData, RowCache
from statehold.rows import Delete, Put, PutIfAbsent, RowDriver, RowStore, StoreMissingError
from statehold.sdk import DeployError, HostError

#: Where a store notes over how many partitions its workspaces are spread.
_PARTITIONS = ("host",), ("partitions",)
#: Where it notes that no version of the app has been current so far: what becomes current first decides.
_UNDECIDED = ("host",), ("undecided",)


@attrs.frozen(eq=False)
class AppData:
    """What an app remembers, for all its versions: its row store, and the data of each partition.

    Attributes:
        store: the row store; the host opens and closes it.
        partitions: the events, records and views of each partition, by number.
        writing: for each partition, what is held by whoever appends to its log, from `begin` to `commit`.

    """

    store: RowStore
    partitions: tuple[PartitionData, ...]
    writing: tuple[threading.Lock, ...]


class DataKeeper:
    """Opens the data of one app for the first version that needs it, and closes it after the last.

    A store that was made for a version which nobody ever kept is removed again. None is made while the app
    *is_deployed*: it has data, which is not where it was looked for.
    """

    def __init__(
        self, app: str, driver: RowDriver, logger: logging.Logger, *, is_deployed: Callable[[], bool]
    ) -> None:
        self._app = app
        self._is_deployed = is_deployed
        self._driver = driver
        self._logger = logger
        self._lock = threading.Lock()
        self._data: AppData | None = None
        self._users = 0
        self._is_new = False

    @property
    def data(self) -> AppData:
        """The data, while a version of the app is open.

        Raises:
            HostError: none is.

        """
        data = self._data
        if data is None:
            raise HostError(
                f"{self._app} is not running: its data is closed", hint="Deploy it, or activate a version"
            )
        return data

    def lease(self, partitions: int) -> Lease:
        """Return the data, opened or made if need be, until the lease is released.

        Raises:
            DeployError: it lies in another number of partitions, or somewhere else.
            StoreHeldError: another host works on it.
            RowStoreError: it cannot be opened.

        """
        with self._lock:
            if self._data is None:
                self._data = self._open(partitions)
            elif len(self._data.partitions) != partitions:
                raise DeployError(
                    f"{self._app} is open with {len(self._data.partitions)} partitions, and NumParts is "
                    f"{partitions}",
                    hint="If its versions have been taken away, deploy it again when their calls have ended",
                )
            self._users += 1
            return Lease(self._data, self._release)

    def keep(self) -> None:
        """Let a new store stay: a version that uses it has been registered."""
        self._is_new = False

    def decide(self) -> None:
        """Let its number of partitions stay: a version is about to become current."""
        store = self.data.store
        if store.get(*_UNDECIDED) is not None:
            store.write([Delete(*_UNDECIDED)])

    def sweep(self, limit: int) -> int:
        """Remove up to *limit* rows whose time to live is over, and return how many there were."""
        data = self._data
        return 0 if data is None else data.store.sweep(limit=limit)

    def _open(self, partitions: int) -> AppData:
        is_new = False
        try:
            store = self._driver.open(self._app)
        except StoreMissingError:
            if self._is_deployed():
                raise DeployError(
                    f"the events, records and views of {self._app} are not in {type(self._driver).__name__}",
                    hint="Was it deployed with other --rows, or STATEHOLD_ROWS? To begin without them, "
                    "undeploy it first",
                ) from None
            store = self._driver.create(self._app)
            is_new = True
        try:
            store.hold()
            # Not before: what another host holds is not this one's to remove.
            self._is_new = is_new
            if self._is_undecided(store, partitions):
                self._is_new = True
                self._close(store)
                store = self._driver.create(self._app)
                store.hold()
                self._is_new = True
            self._check(store, partitions)
        except BaseException:
            self._close(store)
            raise
        numbers = range(partitions)
        cache = RowCache(store)
        return AppData(
            store,
            tuple(PartitionData(store, number, cache) for number in numbers),
            tuple(threading.Lock() for _ in numbers),
        )

    def _is_undecided(self, store: RowStore, partitions: int) -> bool:
        """Return whether versions that were only beside have made a store of another number of partitions."""
        known = store.get(*_PARTITIONS)
        is_other = known is not None and int(known) != partitions
        return is_other and not self._is_deployed() and store.get(*_UNDECIDED) is not None

    def _check(self, store: RowStore, partitions: int) -> None:
        known = store.get(*_PARTITIONS)
        if known is None:
            store.write([PutIfAbsent(*_PARTITIONS, b"%d" % partitions), Put(*_UNDECIDED, b"")])
        elif int(known) != partitions:
            raise DeployError(
                f"the data of {self._app} lies in {int(known)} partitions, and NumParts is {partitions}: "
                "workspaces would find themselves in other partitions than their data",
                hint=f"Set NumParts to {int(known)} in descriptor.json, or remove the data of the app first",
            )

    def _release(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._data is not None:
                store, self._data = self._data.store, None
                self._close(store)

    def _close(self, store: RowStore) -> None:
        store.close()
        if self._is_new:
            self._is_new = False
            self._driver.remove(self._app)


class Lease:
    """Keeps the data of an app open until it is released, once."""

    def __init__(self, data: AppData, release: Callable[[], None]) -> None:
        self.data = data
        self._release = release

    def release(self) -> None:
        """Give the data back, the first time this is called."""
        release, self._release = self._release, _nothing
        release()


def _nothing() -> None:
    pass
