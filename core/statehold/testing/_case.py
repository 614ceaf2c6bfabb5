from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from statehold.loading import runs_in
from statehold.sdk import (
    CallContext,
    IStateStorage,
    Key,
    Operation,
    Provider,
    StateholdError,
    StorageLogger,
    Value,
    merge,
)
from statehold.state import Rows
from statehold.testing._app import MemoryApp
from statehold.testing._calls import Calls, default_call
from statehold.testing._context import context, rows_of
from statehold.testing._isolating import Isolations, UnsuitedError
from statehold.testing._open import OpenStorage, wrap
from statehold.testing._patience import within
from statehold.testing._said import Said
from statehold.testing._same import assert_same
from statehold.testing._samples import plain_keys, plain_value
from statehold.testing._scenario import MARK, Facts, Scenario
from statehold.testing._subject import SUBJECT, subject
from statehold.testing._work import Work

Row = tuple[Mapping[str, object], Mapping[str, object]]

# Workspaces are never used twice in a run, so that rows in a server outside do not get in the way.
_WORKSPACES = itertools.count(1_000_001)
_FIXTURE = type(pytest.fixture(lambda: None))
_STATE = (Operation.GET, Operation.GETBATCH, Operation.READ)
_GIVEN = ("provider", "rows", "config", "secrets", "allowances", "storages", "host", "refused")


class Case(Said):
    """What every test of the kit needs to open a storage and use it."""

    # -- What an author may override -------------------------------------------------------------------

    def prepare(self, opened: OpenStorage, workspace: int, rows: Sequence[Row]) -> None:
        """Put *rows* where the storage will find them; by INSERT, or nothing for a storage without it."""
        if Operation.INSERT in self.facts.operations:
            self.apply(
                opened, [opened.facade.insert(opened.key(workspace, **key), value) for key, value in rows]
            )

    def look(self, opened: OpenStorage, key: Key) -> Value | None:
        """Return what stands under *key*: by GET, GETBATCH or READ, whichever the storage has.

        Override it for a storage that can only be written, so that what it wrote can be checked.
        """
        operations = self.facts.operations
        if Operation.GET in operations:
            return opened.facade.get(key)
        if Operation.GETBATCH in operations:
            return opened.facade.get_batch([key])[0]
        found = list(opened.facade.read(key))
        assert len(found) <= 1, f"READ by the whole key {key} yielded {len(found)} rows"
        return found[0][1] if found else None

    def stored(self, key: Key, value: Value) -> Value:  # noqa: ARG002 - for those that override it
        """Return what must stand under *key* after an INSERT of *value*: by default, *value*."""
        return value

    def updated(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return what must stand under *key* after an UPDATE: by default, *existing* with the *changes*."""
        return merge(existing, changes)

    def call(self) -> CallContext:
        """Return the call in which a storage is used that asks for its call, without workspace and unit.

        By default it is one in a scope in which the storage may be written, or else read.
        """
        return default_call(self.given("provider"))

    # -- What the tests use ----------------------------------------------------------------------------

    @pytest.fixture(autouse=True)
    def _statehold_case(
        self, request: pytest.FixtureRequest, tmp_path: Path, statehold_isolation: str | None
    ) -> Iterator[None]:
        self._opened: dict[int, tuple[OpenStorage, Work]] = {}
        self._memories: dict[Path, MemoryApp] = {}
        self._workspaces: list[int] = []
        self._folder = tmp_path
        self._values = {name: self._resolve(request, name) for name in _GIVEN}
        self._isolations: Isolations | None = None
        self.own_provider: Provider = self.given("provider")
        self.facts = _facts(type(self), self._values)
        asked: Scenario | None = getattr(request.function, MARK, None)
        if asked is not None and not asked.applies(self.facts):
            pytest.skip(f"scenario {asked.number} is not asked of {self.own_provider.name}")
        if statehold_isolation not in (None, runs_in(self.own_provider)):
            self._place(request, statehold_isolation)
        request.node.user_properties.append((SUBJECT, subject(self)))
        yield
        for opened, _ in reversed(list(self._opened.values())):
            self.free(opened)

    def _place(self, request: pytest.FixtureRequest, isolation: str) -> None:
        """Let the storages run in another place than by themselves; skip the test if they cannot."""
        isolations: Isolations = request.getfixturevalue("statehold_isolations")
        placing = contextlib.ExitStack()
        request.addfinalizer(placing.close)
        try:
            placed = isolations.placed(
                self.own_provider,
                isolation,
                folder=self._folder,
                allowances=self.given("allowances"),
                storages=self.given("storages"),
            )
            self._values["provider"] = placing.enter_context(placed)
        except UnsuitedError as error:
            request.node.user_properties.append((SUBJECT, {**subject(self), "unsuited": str(error)}))
            pytest.skip(str(error))
        self._isolations = isolations

    def given(self, name: str) -> Any:
        """Return what the author gave as *name*, whether as a value, a method or a fixture."""
        return self._values[name]

    def rows_of_schema(self) -> Rows:
        """Return fresh constructors of keys and values, as each version of an app has its own."""
        return rows_of(self.given("provider"), key=self.key, value=self.value, memory=_memory(type(self)))

    def open(
        self,
        *,
        partition: int = 0,
        version: str = "1",
        package: str = "test",
        folder: str | None = None,
        existing: IStateStorage | None = None,
        logger: StorageLogger | None = None,
    ) -> OpenStorage:
        """Open a storage; *folder* tells data folders apart, by default each partition has its own."""
        provider: Provider = self.given("provider")
        data_folder = self._folder / (folder or f"data-{package}-{partition}")
        data_folder.mkdir(mode=0o700, exist_ok=True)
        if self._isolations is not None:
            self._isolations.hand_over(data_folder)
        work = Work()
        memory = self._memory(data_folder, partition)
        rows = rows_of(provider, key=self.key, value=self.value, package=package, memory=memory)
        made = context(
            provider,
            rows=rows,
            config=self.given("config"),
            secrets=self.given("secrets"),
            allowances=self.given("allowances"),
            storages=self.given("storages"),
            memory=memory,
            host=self.given("host"),
            package=package,
            version=version,
            partition=partition,
            data_folder=data_folder,
            existing=existing,
            logger=logger,
            work=work,
        )
        opened = wrap(provider, rows, made, provider.open(made), Calls(self.call, memory))
        self._opened[id(opened.storage)] = (opened, work)
        return opened

    def free(self, opened: OpenStorage) -> tuple[str, ...]:
        """End what the storage started, free it, and return the names of what did not end by itself.

        An error of `free()` itself is told by scenario L1, and only there.
        """
        _, work = self._opened.pop(id(opened.storage))
        left = work.end(timeout=self.patience)
        with contextlib.suppress(Exception):
            within(self.patience, opened.storage.free)
        return left

    def forgo(self, opened: OpenStorage) -> IStateStorage:
        """End what the storage started, and return it for the caller to free."""
        self._opened.pop(id(opened.storage))[1].end(timeout=self.patience)
        return opened.storage

    def workspace(self) -> int:
        """Return a workspace that no other test has used."""
        self._workspaces.append(next(_WORKSPACES))
        for memory in self._memories.values():
            memory.add_workspaces(self._workspaces[-1:])
        return self._workspaces[-1]

    def apply(self, opened: OpenStorage, intents: Sequence[Any]) -> None:
        """Validate and apply intents as a host does."""
        opened.apply(intents)

    def samples(self, count: int) -> list[Row]:
        """Return up to *count* rows with different keys: the author's first, then plain ones."""
        given: list[Row] = list(self.given("rows"))[:count]
        if not (self.facts.any_row and self.facts.puts):
            return given
        rows = self.rows_of_schema()
        taken = {rows.key(0, **key) for key, _ in given}
        for number, key in enumerate(plain_keys(rows.key_fields, 2 * count)):
            if len(given) >= count:
                break
            if rows.key(0, **key) not in taken:
                given.append((key, plain_value(rows.value_fields, number)))
        return given

    def fill(self, opened: OpenStorage, workspace: int, count: int) -> dict[Key, Value]:
        """Put up to *count* sample rows and return them as they must be found."""
        rows = self.samples(count)
        self.prepare(opened, workspace, rows)
        found = {opened.key(workspace, **key): opened.value(**value) for key, value in rows}
        if Operation.INSERT in self.facts.operations:
            found = {key: self.stored(key, value) for key, value in found.items()}
        return found

    def put(self, opened: OpenStorage, key: Key, value: Value) -> Value:
        """INSERT one row and return it as it must be found."""
        self.apply(opened, [opened.facade.insert(key, value)])
        return self.stored(key, value)

    def check(self, opened: OpenStorage, key: Key, expected: Value | None, where: str) -> None:
        """Fail unless *expected* stands under *key*, or nothing where the storage may forget."""
        got = self.look(opened, key)
        if got is not None or not self.may_forget:
            assert_same(expected, got, where)

    def widest(self, opened: OpenStorage, key: Key) -> Key:
        """Return the key of the READ that yields the row under *key*, and as many others as it can."""
        if self.whole_keys:
            return key
        names = [field.name for field in self.facts.key[: self.read_by]]
        return opened.prefix(key.WSID, **{name: getattr(key, name) for name in names})

    def beside(self, opened: OpenStorage, rows: Mapping[Key, Value], key: Key) -> dict[Key, Value]:
        """Return those of *rows* that the same READ yields as *key*."""
        read = self.widest(opened, key)
        return {one: value for one, value in rows.items() if self.widest(opened, one) == read}

    def absent(self, taken: int) -> Sequence[Mapping[str, object]]:
        """Return the fields of keys that have no row when *taken* samples have been put."""
        if self.missing is not None:
            return [self.missing]
        rows = self.rows_of_schema()
        present = {rows.key(0, **key) for key, _ in (*self.samples(taken), *self.given("rows"))}
        keys = plain_keys(rows.key_fields, 3 * taken + 10)
        return [key for key in keys if rows.key(0, **key) not in present][:2]

    @classmethod
    def known_facts(cls) -> Facts | None:
        """Return what decides which scenarios apply, or None while that is known only at run time."""
        values = {name: getattr(cls, name, None) for name in _GIVEN}
        # Methods and fixtures are taken as true: whoever writes one has something to give.
        if not isinstance(values["provider"], Provider):
            return None
        try:
            return _facts(cls, values)
        except StateholdError:  # told by the tests themselves, better than by the collection
            return None

    def _memory(self, data_folder: Path, partition: int) -> MemoryApp | None:
        """Return a version of the app whose data belongs to *data_folder*, with the test's workspaces."""
        if self.declarations is None:
            return None
        if data_folder not in self._memories:
            memory = MemoryApp(self.declarations, entity=self.entity, partition=partition)
            memory.add_workspaces(self._workspaces)
            self._memories[data_folder] = memory
        return self._memories[data_folder].version()

    def _resolve(self, request: pytest.FixtureRequest, name: str) -> Any:
        value = getattr(type(self), name, None)
        if isinstance(value, _FIXTURE):
            return request.getfixturevalue(name)
        value = getattr(self, name, None)
        value = value() if callable(value) else value
        if name == "provider":
            assert isinstance(value, Provider), (
                f"{type(self).__name__}.provider: expected a statehold.sdk.Provider, got {value!r:.100}"
            )
        return value


def _memory(case: type[Case]) -> MemoryApp | None:
    return None if case.declarations is None else MemoryApp(case.declarations, entity=case.entity)


def _facts(case: type[Case], values: Mapping[str, Any]) -> Facts:
    provider: Provider = values["provider"]
    operations = frozenset(provider.operations)
    puts = Operation.INSERT in operations or case.prepare is not Case.prepare
    rows = rows_of(provider, key=case.key, value=case.value, memory=_memory(case))
    return Facts(
        operations=operations,
        key=rows.key_fields,
        value=rows.value_fields,
        puts=puts,
        looks=not operations.isdisjoint(_STATE) or case.look is not Case.look,
        samples=bool(values["rows"]),
        any_row=case.any_row,
        missing=case.missing is not None or case.any_row,
        refused=bool(values["refused"]),
        durable=case.durable,
        may_forget=case.may_forget,
        shared=case.shared,
        hands_over=case.hands_over,
        ordered=case.ordered,
        read_by=case.read_by,
        whole_keys=case.whole_keys,
        secrets=bool(values["secrets"]),
        units=case.declarations is not None,
    )
