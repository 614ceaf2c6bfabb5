from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from statehold.hosting._data import AppData, DataKeeper
from statehold.hosting._nearest import nearest
from statehold.hosting._status import VersionState
from statehold.hosting._version import AppVersion, Borrowed
from statehold.sdk import HostError


class App:
    """A running app: in each partition one current version, and any number of versions beside it.

    Reading it takes no lock: what is current in a partition changes in one step.
    """

    def __init__(
        self, name: str, keeper: DataKeeper, *, keep: int = 0, swapped: Callable[[App], None]
    ) -> None:
        self.name = name
        #: How many versions that were current before stay open.
        self.keep = keep
        #: Opens and closes its data; for the host.
        self.keeper = keeper
        #: Held while a version is deployed, activated or taken away; never by a borrower.
        self.changing = threading.Lock()
        self._current: AppVersion | None = None
        self._in_partition: dict[int, AppVersion] = {}
        #: Those, the last one first.
        self._kept: tuple[AppVersion, ...] = ()
        #: What ends the trial of a version, while there is one.
        self._end_trial: Callable[[], None] | None = None
        self._versions: dict[str, AppVersion] = {}
        self._swapped = swapped
        #: By thread, what a change finds open when it begins.
        self._noted: dict[int, list[AppVersion]] = {}

    @contextmanager
    def noting(self) -> Iterator[Sequence[AppVersion]]:
        """Return what will have the versions that are open when a change of this thread begins."""
        found: list[AppVersion] = []
        self._noted[threading.get_ident()] = found
        try:
            yield found
        finally:
            del self._noted[threading.get_ident()]

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold `changing` while the block changes the app."""
        with self.changing:
            noted = self._noted.get(threading.get_ident())
            if noted is not None:
                noted[:] = self.versions
            yield

    @property
    def current(self) -> AppVersion:
        """The version that became current last in all partitions.

        One that is tried in some of them is not; `current_of` says what answers the calls of a partition.

        Raises:
            HostError: none is current.

        """
        current = self._current
        if current is None:
            raise HostError(
                f"{self.name} has no current version", hint="Deploy one, or activate one of its versions"
            )
        return current

    @property
    def current_or_none(self) -> AppVersion | None:
        """The version that became current last in all partitions, if there is one."""
        return self._current

    @property
    def currents(self) -> tuple[AppVersion, ...]:
        """The versions that answer the calls of its partitions, by number; empty where none is current."""
        return tuple(self._in_partition.values())

    def current_of(self, partition: int) -> AppVersion:
        """Return the version that answers the calls of a partition.

        Raises:
            HostError: none is current.

        """
        try:
            return self._in_partition[partition]
        except KeyError:
            # Whoever borrows a partition that is not there is told so by the version.
            return self.current

    def is_replaced(self, version: AppVersion, partition: int) -> bool:
        """Return whether another version answers the calls of a partition by now."""
        return self._in_partition.get(partition, version) is not version

    @property
    def data(self) -> AppData:
        """What it remembers, for all its versions: the row store, and the data of its partitions.

        Raises:
            HostError: no version is open.

        """
        return self.keeper.data

    @property
    def versions(self) -> tuple[AppVersion, ...]:
        """The open versions, in the order of their opening."""
        return tuple(self._versions.values())

    @property
    def kept(self) -> tuple[AppVersion, ...]:
        """The versions that were current before and stay open to be rolled back to, the last one first."""
        return self._kept

    def is_open(self, version: str) -> bool:
        """Return whether there is an open version of that name."""
        return version in self._versions

    def version(self, name: str) -> AppVersion:
        """Return an open version by its name.

        Raises:
            HostError: no open version has that name.

        """
        try:
            return self._versions[name]
        except KeyError:
            raise HostError(
                f"{self.name} has no open version {name!r}", hint=nearest(name, self._versions)
            ) from None

    def borrow(self, partition: int = 0, *, version: str | None = None) -> Borrowed:
        """Return a context manager around a partition of the version current there, or of the one named.

        The version stays open until every borrower has left, whatever is deployed meanwhile. Borrowing
        never waits for a deploy.

        Raises:
            HostError: on entering, when there is no such version or partition.

        """
        if version is None:
            return Borrowed(partial(self.current_of, partition), partition)
        return Borrowed(partial(self.version, version), partition)

    def add(self, version: AppVersion) -> None:
        """Let an open version be borrowed by its name."""
        self._versions = {**self._versions, version.name: version}

    def remain(self, version: AppVersion) -> None:
        """Keep an open version to be rolled back to, as one that was current before those kept so far."""
        self.add(version)
        self._kept = (*self._kept, version)

    def end_trial(self) -> bool:
        """Let the version that is on trial answer no more calls soon; False where there is none."""
        end = self._end_trial
        if end is not None:
            end()
        return end is not None

    def lend(self, version: AppVersion, partitions: Iterable[int], *, end: Callable[[], None]) -> None:
        """Let an open version answer the calls of some partitions, on trial, which *end* ends."""
        self._put(version, partitions)
        self._end_trial = end
        version.state = VersionState.CANARY
        self._swapped(self)

    def take_back(self, version: AppVersion) -> None:
        """Let the current version answer again where *version* does on trial."""
        self._end_trial = None
        lent = [number for number, one in self._in_partition.items() if one is version]
        if lent and self._current is not None:
            self._put(self._current, lent)
            version.state = VersionState.READY
            self._swapped(self)

    def swap(self, version: AppVersion | None) -> AppVersion | None:
        """Make an open version current, or none; return the one that was, which is kept open or retired.

        It is one step in each partition, in the order of their numbers, with nothing in between. Interrupted
        there, by Ctrl-C, it has not happened.
        """
        before = self._current
        if version is None:
            self._current, self._in_partition = None, {}
        else:
            self._end_trial = None
            self._put(version, range(len(version.partitions)))
            self._current = version
            version.state = VersionState.CURRENT
        if before is not None and before is not version:
            self._leave(before, replaced=version is not None)
        self._swapped(self)
        return before

    def drop(self, name: str) -> None:
        """Let a version be borrowed no more, if it is open, and be freed when its last call has returned."""
        version = self._versions.get(name)
        if version is not None and version is self._current:
            self.swap(None)
        elif version is not None:
            self.discard(version)

    def discard(self, version: AppVersion) -> None:
        """Retire an open version that answers no calls, also where another one has its name by now."""
        self._kept = tuple(one for one in self._kept if one is not version)
        self._remove(version)

    def _leave(self, before: AppVersion, *, replaced: bool) -> None:
        known = (before, *self._kept) if replaced else self._kept
        known = tuple(one for one in known if one is not self._current)
        self._kept, gone = known[: self.keep], known[self.keep :]
        for one in gone if replaced else (*gone, before):
            self._remove(one)
        if before in self._kept:
            before.state = VersionState.READY

    def _put(self, version: AppVersion, partitions: Iterable[int]) -> None:
        """Let an open version answer the calls of some partitions; after an error, of none."""
        before = dict(self._in_partition)
        try:
            for number in partitions:
                self._in_partition[number] = version
        except BaseException:
            self._in_partition = before
            raise

    def _remove(self, version: AppVersion) -> None:
        self._versions = {name: known for name, known in self._versions.items() if known is not version}
        version.retire()

    def __repr__(self) -> str:
        return f"<App {self.name}>"
