from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from statehold.hosting._access import Access, Refusal
from statehold.hosting._nearest import nearest
from statehold.hosting._opened import OpenStorage
from statehold.hosting._plan import Plan
from statehold.sdk import FreedError, HostError, IStateStorage, Operation, Scope
from statehold.state import CallCounts, Facade, compile_facade, compile_rows
from statehold_vsql.appdef import ExtensionDef


class Facades(dict[str, Facade]):
    """The facades of one extension, by storage name.

    One of a storage that the extension does not name is there all the same when it is asked for: each of
    its operations says what to declare.
    """

    def __init__(self, maker: FacadeMaker, extension: ExtensionDef, scope: Scope) -> None:
        self._maker = maker
        self._extension = extension
        self._scope = scope
        super().__init__(
            (name, maker.for_extension(name, extension, scope))
            for name in dict.fromkeys(str(use.storage) for use in (*extension.state, *extension.intents))
        )

    def __missing__(self, storage: str) -> Facade:
        return self.setdefault(storage, self._maker.for_extension(storage, self._extension, self._scope))


class FacadeMaker:
    """Compiles the facades of one partition, and closes all of them in the end."""

    def __init__(
        self, plan: Plan, storages: Mapping[str, OpenStorage], where: str, *, count_calls: bool
    ) -> None:
        self._accesses = plan.accesses
        self._rows = {planned.name: planned.rows for planned in plan.storages}
        self._impls = {name: storage.impl for name, storage in storages.items()}
        self._where = where
        self._count_calls = count_calls
        self._made: list[Facade] = []
        self._closed = False
        #: By storage and by who uses it: an extension's name, or a scope.
        self.counts: dict[tuple[str, str], CallCounts] = {}

    def for_extension(self, storage: str, extension: ExtensionDef, scope: Scope) -> Facade:
        """Return what *extension* may do with a storage."""
        access = self._access(storage)
        refuse = access.refusal(f"{extension.kind} {extension.name}", scope, extension)
        return self._compile(access, access.used_by(extension, scope), refuse, user=str(extension.name))

    def for_scope(self, storage: str, scope: Scope) -> Facade:
        """Return what may be done with a storage in *scope*."""
        access = self._access(storage)
        return self._compile(access, access.operations(scope), access.refusal("A call", scope), user=scope)

    def close(self) -> None:
        """Let every facade that was made raise FreedError, and make no further one."""
        self._closed = True
        for facade in self._made:
            facade.close()
        self._made.clear()
        self._impls.clear()
        self._rows.clear()
        self.counts.clear()

    def _access(self, storage: str) -> Access:
        if self._closed:
            raise FreedError(
                f"{self._where} has been freed",
                hint="Borrow the partition again: the current version answers there",
            )
        try:
            return self._accesses[storage]
        except KeyError:
            raise HostError(
                f"{self._where} has no storage {storage!r}", hint=nearest(storage, self._accesses)
            ) from None

    def _compile(
        self, access: Access, allowed: Collection[Operation], refuse: Refusal, *, user: str
    ) -> Facade:
        counts = None
        if self._count_calls:
            counts = self.counts.setdefault((access.storage, user), CallCounts())
        if access.provided:
            rows, impl = self._rows[access.storage], self._impls[access.storage]
        else:
            rows, impl = compile_rows(access.storage, (), ()), _Nothing()
        facade = compile_facade(rows, impl, allowed, refuse=refuse, counts=counts)
        if not access.provided:
            # Nobody says what its keys are: making one is refused like using one.
            refused: Any = facade.find
            facade.key = facade.prefix = refused
        self._made.append(facade)
        return facade


class _Nothing(IStateStorage):
    """Stands for a storage that this host does not provide; no facade lets a call through to it."""

    def free(self) -> None:
        """Do nothing: there is nothing."""
