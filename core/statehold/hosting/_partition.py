from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from statehold.events import PartitionData, Schemas
from statehold.extensions import Engine, Pool
from statehold.hosting._compiling import Compiler
from statehold.hosting._data import AppData
from statehold.hosting._facades import Facades
from statehold.hosting._nearest import nearest
from statehold.hosting._opened import OpenStorage
from statehold.hosting._outcomes import Outcomes
from statehold.hosting._plan import Plan
from statehold.hosting._runner import Runner
from statehold.hosting._uses import scope_of
from statehold.sdk import HostError, IStateStorage, Scope, StorageError
from statehold.state import CallCounts, Facade
from statehold_vsql.appdef import ExtensionDef


class Partition:
    """One partition of an app version: its data, its open storages, and what its extensions hold of them.

    Attributes:
        number: its number, from 0.
        schemas: the shapes of the version's tables, views and types; units of work are begun with them.
        data: its events, records and views, which all versions of the app share.
        writing: held by whoever appends to its log, from the beginning of a unit to its commit.
        outcomes: how many calls it has answered, and how many failed.

    """

    def __init__(
        self,
        number: int,
        plan: Plan,
        storages: Mapping[str, OpenStorage],
        data: AppData,
        *,
        count_calls: bool,
        time_calls: bool | None = None,
    ) -> None:
        self.number = number
        self.schemas: Schemas = plan.schemas
        self.data: PartitionData = data.partitions[number]
        self.writing: threading.Lock = data.writing[number]
        self.outcomes = Outcomes()
        self._where = f"partition {number} of {plan.app} {plan.version}"
        self._accesses = plan.accesses
        self._redactor = plan.redactor
        self._storages = dict(storages)
        self._compiler = Compiler(plan, storages, self._where, count_calls=count_calls, time_calls=time_calls)
        self._extensions: dict[str, ExtensionDef] = {
            str(extension.name): extension
            for extension in plan.appdef.extensions.values()
            if extension.kind.scope is not None
        }
        self._engines: dict[str, Engine] = dict(plan.plugins.engines.of)
        self._runners: dict[str, Runner] = {}
        self._facades: dict[str, Facades] = {}
        self._scoped: dict[tuple[str, Scope], Facade] = {}
        self._compiling = threading.Lock()

    @property
    def storages(self) -> tuple[str, ...]:
        """The names of the open storages, in the order of their opening."""
        return tuple(self._storages)

    @property
    def counts(self) -> Mapping[tuple[str, str], CallCounts]:
        """How often operations were called and refused, by storage and by user: extension or scope."""
        return self._compiler.counts

    @property
    def pools(self) -> Mapping[tuple[str, Scope], Pool[Any]]:
        """The engines that run its extensions, by the kind of engine and what they run."""
        words = {self._extensions[name].engine: engine for name, engine in list(self._engines.items())}
        return {
            (str(word), kind): engine.pool(self.number, kind)
            for word, engine in words.items()
            for kind in Scope
        }

    def extension(self, name: str) -> Runner:
        """Return an extension by its qualified name, compiled at its first use.

        Raises:
            HostError: there is none of that name.
            FreedError: the version has been freed.

        """
        runner = self._runners.get(name)
        if runner is None:
            definition = self._definition(name)
            with self._compiling:
                runner = self._runners.get(name)
                if runner is None:
                    runner = self._runners[name] = self._compile(definition)
        return runner

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
        """Return what the extension may use, by storage: `bills.Scada`, `sys.View(bills.Turnover)`.

        Raises:
            HostError: there is no extension of that name that uses storages.
            FreedError: the version has been freed.

        """
        facades = self._facades.get(extension)
        if facades is None:
            made = Facades(self._compiler, self._definition(extension))
            facades = self._facades.setdefault(extension, made)
        return facades

    def scoped(self, storage: str, scope: Scope) -> Facade:
        """Return a facade with every operation that the declaration permits in *scope*.

        Of a storage of entities *storage* names one that extensions use: `sys.View(bills.Turnover)`.

        Raises:
            HostError: there is no such storage or entity.
            FreedError: the version has been freed.

        """
        facade = self._scoped.get((storage, scope))
        if facade is None:
            facade = self._scoped.setdefault((storage, scope), self._compiler.for_scope(storage, scope))
        return facade

    def redact(self, text: str) -> str:
        """Return *text* without the app's secrets: what a storage says in an error may hold one."""
        return self._redactor.redact(text)

    def close(self) -> None:
        """Let all that was made raise FreedError and hold no storage any more; the host calls it."""
        with self._compiling:
            self._compiler.close()
            for runner in self._runners.values():
                runner.close()
            for held in (self._runners, self._facades, self._scoped, self._storages):
                held.clear()
            self._engines.clear()

    def _definition(self, name: str) -> ExtensionDef:
        self._compiler.refuse_when_closed()
        try:
            return self._extensions[name]
        except KeyError:
            raise HostError(
                f"{self._where} has no extension {name!r}", hint=nearest(name, self._extensions)
            ) from None

    def _compile(self, definition: ExtensionDef) -> Runner:
        scope = scope_of(definition)
        return Runner(
            definition,
            scope,
            self._compiler.uses(definition, scope),
            self._engines.get(str(definition.name)),
            partition=self.number,
        )

    def _no_storage(self, name: str) -> Exception:
        self._compiler.refuse_when_closed()
        if name in self._accesses:
            return StorageError(
                f"{self._where}: {name} is not provided by this host",
                hint="Its declaration is known here, its implementation is not: use another storage",
            )
        return HostError(f"{self._where} has no storage {name!r}", hint=nearest(name, self._accesses))

    def __repr__(self) -> str:
        return f"<{self._where}>"
