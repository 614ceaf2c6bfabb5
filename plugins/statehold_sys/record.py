"""Storage `Record`: records of tables, by id or as the one record of a singleton."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from statehold.sdk import (
    CallContext,
    Intent,
    Key,
    Operation,
    Provider,
    Rank,
    Scope,
    StorageContext,
    StorageError,
    Value,
)
from statehold_sys._bound import Bound, PerCall
from statehold_sys._intents import Updates

if TYPE_CHECKING:
    from statehold.events import TableShape, Unit


class Record(Bound, Updates):
    """The records of the app as the unit of one call has them.

    Of a record that is inserted, `sys.ID` is the raw id; that of the key is not looked at.
    """

    __slots__ = ("_name", "_unit", "_workspace")

    def __init__(self, name: str, call: CallContext) -> None:
        self._name, self._workspace = name, call.workspace
        self._unit: Unit = call.unit

    def get(self, key: Key) -> Value | None:
        """Return the record of the id, or the one of the singleton; None if the table has none such.

        Raises:
            StorageError: the key says neither, or both.
            WorkspaceError: the workspace does not exist, or does not have the singleton.

        """
        shape = self._unit.schemas.of(key)
        if not self._is_singleton(key):
            return _of(shape, self._unit.record(key.WSID, key.ID, shape))  # type: ignore[attr-defined]
        if not shape.is_singleton:
            raise StorageError(
                f"{self._name}: {shape.name} is no singleton", hint="Give the ID of the record"
            )
        return self._unit.singleton(key.WSID, shape)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, of whatever workspaces, in order; those by id are of one moment."""
        unit, of = self._unit, self._unit.schemas.of
        by_id = [(key.WSID, key.ID) for key in keys if not self._is_singleton(key)]  # type: ignore[attr-defined]
        found = iter(unit.records(by_id, of(keys[0])) if by_id else ())
        return [self.get(key) if self._is_singleton(key) else _of(of(key), next(found)) for key in keys]

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a record of another workspace, or one under the key of another record."""
        for item in items:
            key: Any = item.key
            if self._workspace != key.WSID:
                raise StorageError(
                    f"{self._name}: a command in workspace {self._workspace} cannot change records of "
                    f"workspace {key.WSID}",
                    hint="Execute a command there, through sys.FederationCommand",
                )
            if not item.is_new and key.ID and item.value["sys.ID"] != key.ID:
                raise StorageError(
                    f"{self._name}: an UPDATE under ID {key.ID} has the record {item.value['sys.ID']}",
                    hint="Update what a GET of the same key returned",
                )

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Put down new and changed records in the call's unit, in order, for the event of the command."""
        self.validate(items)
        for item in items:
            change = self._unit.insert if item.is_new else self._unit.update
            change(item.key.WSID, item.value)

    def _is_singleton(self, key: Any) -> bool:
        if bool(key.ID) is not (key.IsSingleton is True):
            return not key.ID
        raise StorageError(
            f"{self._name}: expected ID or IsSingleton in the key, got "
            f"{'both' if key.ID else 'neither; an ID of 0 is none'}",
            hint="Give the id of the record, or IsSingleton=True for the one of a singleton",
        )


def _of(shape: TableShape, value: Value | None) -> Value | None:
    """Return *value* if it is a record of the table: ids are given out to all tables."""
    return value if type(value) is shape.rows.Value else None


def _open(ctx: StorageContext) -> PerCall:
    return PerCall(partial(Record, ctx.storage))


provider: Final = Provider(
    name="Record",
    open=_open,
    operations={
        Operation.GET: frozenset(Scope),
        Operation.GETBATCH: frozenset(Scope),
        Operation.INSERT: frozenset({Scope.COMMANDS}),
        Operation.UPDATE: frozenset({Scope.COMMANDS}),
    },
    default_key=[],
    default_value=[],
    sync_projector=True,
    rank=Rank.ROWS,
    inprocess_only="it stands on the records of the app, which the host keeps",
    description="Records of tables",
)
