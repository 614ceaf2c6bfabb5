from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from statehold.sdk import CallContext, IWithCallContext, Key, StateholdError, StorageError, Value, fields
from statehold_vsql import Operation, Scope

if TYPE_CHECKING:
    from statehold.hosting import Partition
    from statehold.state import Facade

E = TypeVar("E", bound=BaseException)


@attrs.frozen(kw_only=True)
class StorageCall:
    """One operation on a storage, in words a person can type.

    `keys` has the fields of one key, of several for GETBATCH; `value` those of INSERT and UPDATE.
    """

    storage: str
    operation: Operation
    scope: Scope
    keys: Sequence[Mapping[str, Any]] = ({},)
    value: Mapping[str, Any] = attrs.field(factory=dict)
    workspace: int = 1

    def run(self, partition: Partition, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Run the call through the facade of its scope and return rows as `{"key": {}, "value": {}}`.

        The value of a missing row is None. A change is applied at once; one of a storage that knows only
        calls of extensions, such as records and views, is refused. READ ends after *limit* rows.
        """
        facade = partition.scoped(self.storage, self.scope).for_call(self._call(partition))
        if self.operation is Operation.READ:
            return _read(facade, facade.prefix(self.workspace, **self.keys[0]), limit)
        keys = [facade.key(self.workspace, **given) for given in self.keys]
        match self.operation:
            case Operation.GET:
                return [_row(keys[0], facade.get(keys[0]))]
            case Operation.GETBATCH:
                return [_row(key, value) for key, value in zip(keys, facade.get_batch(keys), strict=True)]
        return [self._change(partition, facade, keys[0])]

    def _call(self, partition: Partition) -> CallContext:
        return CallContext(
            scope=self.scope,
            workspace=self.workspace,
            extension="",
            unit=partition.data.reader(partition.schemas),
            time=time.time(),
        )

    def _change(self, partition: Partition, facade: Facade, key: Key) -> dict[str, Any]:
        from statehold.state import apply_intents  # noqa: PLC0415

        storage = partition.storage(self.storage.partition("(")[0])
        if isinstance(storage, IWithCallContext):
            raise StorageError(
                f"{self.storage} is changed by commands, projectors and jobs only",
                hint="Execute a command that does it: statehold exec",
            )
        if self.operation is Operation.INSERT:
            intent = facade.insert(key, self.value)
        else:
            existing = facade.get(key)
            if existing is None:
                raise StorageError(f"{self.storage} has no row {key!r} to UPDATE", hint="INSERT it first")
            intent = facade.update(key, existing, self.value)
        apply_intents({self.storage: storage}, {self.storage: [intent]})
        return _row(intent.key, intent.value)


def without_secrets(error: StateholdError, partition: Partition) -> StateholdError:
    """Return the error with the app's secrets taken out of what it says, and out of what led to it."""
    redact, shown = partition.redact, "".join(traceback.format_exception(error))
    error.message, error.hint = redact(error.message), redact(error.hint)
    error.args = (redact(str(error)),)
    if redact(shown) != shown:
        error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


def without_traceback(error: E) -> E:
    """Return the error without its frames, and what led to it too: frames keep a plugin from being freed."""
    found: BaseException | None = error
    while found is not None and found.__traceback__ is not None:
        found.__traceback__ = None
        found = found.__cause__ or found.__context__
    return error


def _read(facade: Facade, prefix: Key, limit: int | None) -> list[dict[str, Any]]:
    found = facade.read(prefix)
    try:
        return [_row(key, value) for key, value in islice(found, limit)]
    finally:
        close = getattr(found, "close", None)
        if close:
            close()


def _row(key: Key, value: Value | None) -> dict[str, Any]:
    return {"key": fields(key), "value": None if value is None else fields(value)}
