from __future__ import annotations

from collections.abc import Mapping

from statehold.hosting._facades import FacadeMaker, Facades
from statehold.hosting._nearest import nearest
from statehold.hosting._opened import OpenStorage
from statehold.hosting._plan import Plan
from statehold.sdk import FreedError, HostError, IStateStorage, Scope, StorageError
from statehold.state import CallCounts, Facade


class Partition:
    """One partition of an app version: its open storages, and the facades compiled for its extensions."""

    def __init__(
        self, number: int, plan: Plan, storages: Mapping[str, OpenStorage], *, count_calls: bool
    ) -> None:
        self.number = number
        self._where = f"partition {number} of {plan.app} {plan.version}"
        self._accesses = plan.accesses
        self._redactor = plan.redactor
        self._storages = dict(storages)
        self._maker = FacadeMaker(plan, storages, self._where, count_calls=count_calls)
        self._facades = {
            str(extension.name): Facades(self._maker, extension, scope)
            for extension in plan.appdef.extensions.values()
            if (scope := extension.kind.scope) is not None
        }
        self._scoped: dict[tuple[str, Scope], Facade] = {}
        self._freed = False

    @property
    def storages(self) -> tuple[str, ...]:
        """The names of the open storages, in the order of their opening."""
        return tuple(self._storages)

    @property
    def counts(self) -> Mapping[tuple[str, str], CallCounts]:
        """How often operations were called and refused, by storage and by user: extension or scope."""
        return self._maker.counts

    def storage(self, name: str) -> IStateStorage:
        """Return the open storage called *name*, `bills.Scada`: everything it can do, unchecked.

        Raises:
            HostError: there is no such storage.
            StorageError: it is declared, and this host does not provide it.
            FreedError: the version has been freed.

        """
        try:
            return self._storages[name].impl
        except KeyError:
            raise self._no_storage(name) from None

    def facades(self, extension: str) -> Mapping[str, Facade]:
        """Return what the extension may use, by storage name, as its STATE and INTENTS say.

        Raises:
            HostError: there is no extension of that name that uses storages.
            FreedError: the version has been freed.

        """
        try:
            return self._facades[extension]
        except KeyError:
            self._refuse_when_freed()
            raise HostError(
                f"{self._where} has no extension {extension!r}", hint=nearest(extension, self._facades)
            ) from None

    def scoped(self, storage: str, scope: Scope) -> Facade:
        """Return a facade with every operation that the declaration permits in *scope*.

        Raises:
            HostError: there is no such storage.
            FreedError: the version has been freed.

        """
        facade = self._scoped.get((storage, scope))
        if facade is None:
            facade = self._scoped.setdefault((storage, scope), self._maker.for_scope(storage, scope))
        return facade

    def redact(self, text: str) -> str:
        """Return *text* without the app's secrets: what a storage says in an error may hold one."""
        return self._redactor.redact(text)

    def close(self) -> None:
        """Let every facade raise FreedError and hold no storage any more; the host calls it."""
        self._freed = True
        self._maker.close()
        self._facades.clear()
        self._scoped.clear()
        self._storages.clear()

    def _no_storage(self, name: str) -> Exception:
        self._refuse_when_freed()
        if name in self._accesses:
            return StorageError(
                f"{self._where}: {name} is not provided by this host",
                hint="Its declaration is known here, its implementation is not: use another storage",
            )
        return HostError(f"{self._where} has no storage {name!r}", hint=nearest(name, self._accesses))

    def _refuse_when_freed(self) -> None:
        if self._freed:
            raise FreedError(
                f"{self._where} has been freed",
                hint="Borrow the partition again: the current version answers there",
            )

    def __repr__(self) -> str:
        return f"<{self._where}>"
