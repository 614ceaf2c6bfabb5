from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from statehold.events import Schemas
from statehold.hosting._access import Access
from statehold.hosting._data import AppData, Lease
from statehold.hosting._engines import not_run
from statehold.hosting._evolving import Declared, declared
from statehold.hosting._handover import Handover
from statehold.hosting._made import MadeFolders
from statehold.hosting._matrix import Matrix
from statehold.hosting._opened import OpenStorage, Storages
from statehold.hosting._partition import Partition
from statehold.hosting._plan import Plan
from statehold.hosting._status import FreeReport, VersionState
from statehold.sdk import HostError, IWithResume
from statehold_vsql.appdef import AppDef

if TYPE_CHECKING:
    from statehold.loading.sidecar import SidecarStatus


class AppVersion:
    """One version of an app, with every storage of every partition open until it is freed.

    Attributes:
        app: `owner.app`.
        name: the version's name.
        digest: the image's digest.
        appdef: its compiled declarations.
        declared: what another version is compared with.
        schemas: the shapes of its tables, views and types.
        app_workspaces: how many workspaces the app itself has, numbered from 1.
        not_run: the projectors and jobs that nobody runs, because this host does not have their code.
        accesses: who may do what with each storage, by its name.
        isolation: where the code of each storage runs, by its name.
        partitions: its partitions, by number.
        warnings: what the deploy found that did not stop it.
        files: the digests of the plugin files in use.
        opened_at: when it was opened, in seconds since 1970.
        state: where it stands.
        handover: what is written to the version that it is about to replace; None when nothing is under way.
        compared_with: the version that its declarations were compared with last, and fit, or were accepted.

    """

    def __init__(
        self,
        plan: Plan,
        storages: tuple[Storages, ...],
        lease: Lease,
        made: MadeFolders,
        *,
        count_calls: bool,
        time_calls: bool | None = None,
        when_idle: Callable[[AppVersion], None],
    ) -> None:
        self.app = plan.app
        self.name = plan.version
        self.digest = plan.digest
        self.appdef: AppDef = plan.appdef
        self.declared: Declared = declared(plan)
        self.schemas: Schemas = plan.schemas
        self.app_workspaces = plan.num_app_workspaces
        self.not_run = not_run(plan.appdef, plan.plugins.engines.missing)
        self.accesses: Mapping[str, Access] = plan.accesses
        self.isolation: Mapping[str, str] = plan.plugins.places
        self.warnings = plan.warnings
        self.files = plan.plugins.files
        self.opened_at = time.time()
        self.state = VersionState.READY
        self.handover: Handover | None = None
        self.compared_with: str | None = None
        self.partitions = tuple(
            Partition(number, plan, opened, lease.data, count_calls=count_calls, time_calls=time_calls)
            for number, opened in enumerate(storages)
        )
        self._lease = lease
        self._made = made
        self._plan: Plan | None = plan
        self._storages = storages
        self._when_idle = when_idle
        self._borrowers = 0
        self._retired = False
        self._lock = threading.Lock()
        # Held until then. An event would do, and would cost a swap several times as much.
        self._idle = threading.Lock()
        self._idle.acquire()
        self._freed = threading.Event()
        self._report: FreeReport | None = None

    def matrix(self) -> Matrix:
        """Return what may be done with every storage, in every scope."""
        return Matrix(
            app=self.app,
            version=self.name,
            storages=tuple(self.accesses[name].listed() for name in sorted(self.accesses)),
        )

    @property
    def sidecars(self) -> tuple[SidecarStatus, ...]:
        """How the processes fare of those of its plugins that run in sidecars."""
        plan = self._plan
        return () if plan is None else plan.plugins.sidecars

    @property
    def storages(self) -> tuple[Storages, ...]:
        """The open storages of every partition, for the version that replaces this one."""
        return self._storages

    @property
    def can_resume(self) -> bool:
        """Whether all storages that take over from others can do so again, after others were current."""
        return all(
            not one.takes_over or isinstance(one.impl, IWithResume)
            for storages in self._storages
            for one in storages.values()
        )

    def resume(
        self,
        before: AppVersion,
        partitions: Iterable[int] | None = None,
        *,
        joining: Handover | None = None,
        but: Callable[[int, str], bool] = lambda _number, _name: False,
    ) -> None:
        """Let storages take over from those of *before*, the version that it is going to replace.

        That is in some *partitions*, or in all, *but* in some. What is written meanwhile is what those get
        that are *joining* a handover.
        """
        for number in range(len(self._storages)) if partitions is None else partitions:
            others = before.storages[number]
            for name, one in self._storages[number].items():
                other = others.get(name)
                if (
                    one.takes_over
                    and isinstance(one.impl, IWithResume)
                    and other is not None
                    and other.provider == one.provider
                    and not but(number, name)
                ):
                    if joining is not None:
                        joining.note(number, other, one)
                    one.impl.resume(other.impl)
                    if joining is not None:
                        joining.join(number, other, one)

    @property
    def data(self) -> AppData:
        """What the app remembers, which all its versions share."""
        return self._lease.data

    def keep(self) -> None:
        """Let the folders stay that were made for the version: it has been registered."""
        self._made.keep()

    def give_back(self) -> None:
        """Give back what versions share, after the storages have been freed; the host calls it."""
        self._made.remove()
        self._lease.release()

    @property
    def borrowers(self) -> int:
        """How many have borrowed one of its partitions, and not given it back yet."""
        return self._borrowers

    def acquire(self) -> bool:
        """Count one more borrower; False when the version has been retired."""
        with self._lock:
            if self._retired:
                return False
            self._borrowers += 1
            return True

    def release(self) -> None:
        """Count one borrower less; the last one of a retired version lets it be freed."""
        with self._lock:
            self._borrowers -= 1
            idle = self._retired and not self._borrowers
        if idle:
            self._idle.release()
            self._when_idle(self)

    def retire(self) -> None:
        """Take no further borrower, and be freed when the last one has left."""
        with self._lock:
            if self._retired:
                return
            self._retired = True
            self.state = VersionState.DRAINING
            idle = not self._borrowers
        if idle:
            self._idle.release()
            self._when_idle(self)

    def wait_idle(self, timeout: float) -> bool:
        """Return whether the last borrower of a retired version has left within *timeout* seconds."""
        if not self._idle.acquire(timeout=timeout):
            return False
        self._idle.release()
        return True

    def wait_freed(self, timeout: float | None = None) -> FreeReport:
        """Wait until the version has been freed and return the report.

        Raises:
            HostError: it was not freed within *timeout* seconds.

        """
        if not self._freed.wait(timeout) or self._report is None:
            raise HostError(
                f"{self.app} {self.name} was not freed within {timeout:g} s: it is {self.state}, "
                f"with {self._borrowers} borrowers",
                hint="A version is freed after its last borrower has left",
            )
        return self._report

    def take_apart(self) -> tuple[Plan, list[OpenStorage]]:
        """Close every facade and hand over, to be freed, what the version held; the host calls it."""
        for partition in self.partitions:
            partition.close()
        plan, opened = self._plan, [one for storages in self._storages for one in storages.values()]
        assert plan is not None  # noqa: S101 - a version is taken apart once
        self._plan, self._storages, self.partitions = None, (), ()
        return plan, opened

    def set_freed(self, report: FreeReport) -> None:
        """Note the report and let whoever waits for it go on; the host calls it."""
        self._report = report
        self.state = VersionState.FREED
        self._freed.set()

    def __repr__(self) -> str:
        return f"<{self.app} {self.name}>"


class Borrowed:
    """Keeps a version open while its `with` block runs, and hands out one of its partitions."""

    __slots__ = ("_number", "_pick", "_version")

    def __init__(self, pick: Callable[[], AppVersion], number: int) -> None:
        self._pick = pick
        self._number = number
        self._version: AppVersion | None = None

    @property
    def version(self) -> AppVersion:
        """The version that is borrowed, inside the block."""
        if self._version is None:
            raise HostError("nothing is borrowed yet", hint="Use it as `with app.borrow() as partition:`")
        return self._version

    def __enter__(self) -> Partition:
        if self._version is not None:
            raise HostError(
                f"{self._version} is borrowed already", hint="Call borrow() for each `with` block anew"
            )
        while not (version := self._pick()).acquire():
            pass  # It was replaced between the two steps: the next pick is another one.
        partitions = version.partitions
        if not 0 <= self._number < len(partitions):
            version.release()
            raise HostError(
                f"{version.app} {version.name} has no partition {self._number}",
                hint=f"Its partitions are 0 to {len(partitions) - 1}",
            )
        self._version = version
        return partitions[self._number]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        version, self._version = self._version, None
        if version is not None:
            version.release()
