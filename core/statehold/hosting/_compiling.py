from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from statehold.hosting._access import Access, Refusal
from statehold.hosting._nearest import nearest
from statehold.hosting._opened import OpenStorage
from statehold.hosting._plan import Plan, PlannedStorage, PlannedUse
from statehold.hosting._uses import rows_of_nothing
from statehold.sdk import FreedError, HostError, IStateStorage, Operation, Scope
from statehold.state import CallCounts, Facade, Rows, Slot, Uses, compile_facade, compile_slot
from statehold_vsql.appdef import ExtensionDef

Made = TypeVar("Made", Facade, Uses)


class Compiler:
    """Compiles what the extensions of one partition hold of its storages, and closes it in the end."""

    def __init__(
        self,
        plan: Plan,
        storages: Mapping[str, OpenStorage],
        where: str,
        *,
        count_calls: bool,
        time_calls: bool | None,
    ) -> None:
        self._accesses = plan.accesses
        self._uses = plan.uses
        self._planned: dict[str, PlannedStorage] = {planned.name: planned for planned in plan.storages}
        self._impls = {name: storage.impl for name, storage in storages.items()}
        self._relays = {name: one.relay for name, one in storages.items() if one.relay is not None}
        self._where = where
        self._count_calls = count_calls
        self._time_calls = time_calls
        self._made: list[Facade | Uses] = []
        self._closed = False
        #: By storage and by who uses it: an extension's name, or a scope.
        self.counts: dict[tuple[str, str], CallCounts] = {}

    def uses(self, extension: ExtensionDef, scope: Scope) -> Uses:
        """Return what *extension* uses in all of its calls."""
        self.refuse_when_closed()
        who, user = f"{extension.kind} {extension.name}", str(extension.name)
        slots = [
            self._slot(use, use.access.refusal(who, scope, extension, entity=use.entity), user=user)
            for use in self._uses[user]
        ]
        return self._keep(Uses(who, slots, unnamed=lambda storage: self._deny(storage, user)))

    def for_extension(self, extension: ExtensionDef, scope: Scope) -> Iterator[tuple[str, Facade]]:
        """Yield what *extension* may use, by name: `bills.Scada`, `sys.View(bills.Turnover)`."""
        for use in self._uses[str(extension.name)]:
            who = f"{extension.kind} {extension.name}"
            refuse = use.access.refusal(who, scope, extension, entity=use.entity)
            name = use.access.storage if use.entity is None else f"{use.access.storage}({use.entity})"
            yield name, self._facade(use.access, use.rows, use.allowed, refuse, user=str(extension.name))

    def unnamed(self, storage: str, extension: ExtensionDef, scope: Scope) -> Facade:
        """Return what an extension has of a storage it does not name: errors that say what to declare."""
        access = self._access(storage)
        refuse = access.refusal(f"{extension.kind} {extension.name}", scope, extension)
        return self._facade(access, rows_of_nothing(access, refuse), (), refuse, user=str(extension.name))

    def for_scope(self, storage: str, scope: Scope) -> Facade:
        """Return what may be done in *scope* with a storage, or with an entity of one, by name."""
        name, _, entity = storage.removesuffix(")").partition("(")
        access = self._access(name)
        refuse = access.refusal("A call", scope, entity=entity or None)
        planned = self._planned.get(name)
        rows = rows_of_nothing(access, refuse) if planned is None else self._rows(planned, entity)
        return self._facade(access, rows, access.operations(scope), refuse, user=scope)

    def close(self) -> None:
        """Let everything that was made raise FreedError, and make nothing further."""
        self._closed = True
        for made in self._made:
            made.close()
        self._made.clear()
        self._impls.clear()
        self._relays.clear()
        self._planned.clear()
        self.counts.clear()

    def refuse_when_closed(self) -> None:
        """Raise FreedError once the version has been freed."""
        if self._closed:
            raise FreedError(
                f"{self._where} has been freed",
                hint="Borrow the partition again: the current version answers there",
            )

    def _access(self, storage: str) -> Access:
        self.refuse_when_closed()
        try:
            return self._accesses[storage]
        except KeyError:
            raise HostError(
                f"{self._where} has no storage {storage!r}", hint=nearest(storage, self._accesses)
            ) from None

    def _rows(self, planned: PlannedStorage, entity: str) -> Rows:
        definition = self._accesses[planned.name].definition
        of_entities = definition.entity_record or definition.entity_view
        if not entity and not of_entities:
            return planned.rows
        if entity not in planned.rows_of:
            known = [f"{planned.name}({one})" for one in planned.rows_of]
            raise HostError(
                f"{self._where} has no {planned.name}{f'({entity})' if entity else ' without an entity'}",
                hint=nearest(f"{planned.name}({entity})", known),
            )
        return planned.rows_of[entity]

    def _slot(self, use: PlannedUse, refuse: Refusal, *, user: str) -> Slot:
        storage = use.access.storage
        relay = self._relays.get(storage)
        return compile_slot(
            storage,
            use.rows,
            self._impls.get(storage, _NOTHING),
            use.allowed,
            refuse=refuse,
            entity=use.entity,
            counts=self._counts(storage, user, streamed=use.streamed),
            rank=use.rank,
            streamed=use.streamed,
            relay=None if relay is None else relay.through,
        )

    def _counts(self, storage: str, user: str, *, streamed: bool = False) -> CallCounts | None:
        if not self._count_calls and not self._time_calls:
            return None
        timed = self._timed(storage, streamed=streamed)
        return self.counts.setdefault((storage, user), CallCounts(timed))

    def _deny(self, storage: str, user: str) -> None:
        """Count the use of a storage that is not named; not of one that the app does not have at all."""
        if storage in self._accesses and (counts := self._counts(storage, user)) is not None:
            counts.deny(None)

    def _timed(self, storage: str, *, streamed: bool) -> frozenset[Operation]:
        """Return which operations are timed; by default those that take longer than that does."""
        if self._time_calls is not None:
            return frozenset(Operation) if self._time_calls else frozenset()
        planned = self._planned.get(storage)
        in_memory = planned is not None and planned.provider.in_memory
        return frozenset(
            operation for operation in Operation if not (streamed if operation.is_intent else in_memory)
        )

    def _keep(self, made: Made) -> Made:
        self._made.append(made)
        return made

    def _facade(
        self, access: Access, rows: Rows, allowed: Collection[Operation], refuse: Refusal, *, user: str
    ) -> Facade:
        impl = self._impls.get(access.storage, _NOTHING)
        counts = self._counts(access.storage, user)
        return self._keep(compile_facade(rows, impl, allowed, refuse=refuse, counts=counts))


class _Nothing:
    """Stands for a storage that this host does not provide; nothing lets a call through to it."""

    def free(self) -> None:
        """Do nothing: there is nothing."""


_NOTHING: IStateStorage = _Nothing()
