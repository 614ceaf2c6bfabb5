"""What a storage can do, a class for each operation: a storage has exactly those that its module has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache

from statehold.loading.wasm._abi import ADOPT, APPLY, GET, GET_BATCH, PROBE, VALIDATE
from statehold.loading.wasm._codec import encode
from statehold.loading.wasm._storage import WasmStorage
from statehold.sdk import Intent, IStateStorage, Key, Operation, Value, merge


class _Gets(WasmStorage):
    def get(self, key: Key) -> Value | None:
        """Return the value under *key*."""
        codec = self._codec
        answer = self._ask(GET, encode(codec.key(key)))
        return None if answer is None else codec.to_value(self._decoded(GET, codec.one, answer))


class _GetsBatches(WasmStorage):
    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key."""
        codec = self._codec
        answer = self._ask(GET_BATCH, encode([codec.key(key) for key in keys]))
        found = [] if answer is None else self._decoded(GET_BATCH, codec.many, answer)
        if len(found) != len(keys):
            raise self._garbled(GET_BATCH, f"{len(found)} values for {len(keys)} keys")
        return [None if one is None else codec.to_value(one) for one in found]


class _Reads(WasmStorage):
    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows under *key*."""
        codec = self._codec
        for found, value in self._stream(codec.prefix(key)):
            yield codec.to_key(found), codec.to_value(value)

    def rows(self) -> Iterator[tuple[Key, Value]]:
        """Yield every row, of all workspaces."""
        codec = self._codec
        for found, value in self._stream(()):
            yield codec.to_key(found), codec.to_value(value)


class _Applies(WasmStorage):
    def validate(self, items: Sequence[Intent]) -> None:
        """Raise if the module refuses *items*, where it can tell before."""
        if items and VALIDATE in self._runtime.module.exports:
            self._do(VALIDATE, self._packed(items))

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Apply *items*, all or none."""
        if items:
            self._do(APPLY, self._packed(items))

    def _packed(self, items: Sequence[Intent]) -> bytes:
        key, value = self._codec.key, self._codec.value
        return encode([(key(item.key), value(item.value), item.is_new) for item in items])


class _Inserts(_Applies):
    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002 - the module is not asked
        """Return *value*."""
        return value


class _Updates(_Applies):
    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)


class _Probes(WasmStorage):
    def probe(self) -> None:
        """Raise if the module says that it does not work."""
        self._check_done(PROBE, self._alone(PROBE, lambda instance: instance.call(PROBE)))


class _Adopts(WasmStorage):
    def resume(self, existing: IStateStorage) -> None:
        """Give the rows of *existing*, which was current meanwhile, to the module."""
        self.take_over(existing)


_OF: Mapping[Operation, type[WasmStorage]] = {
    Operation.GET: _Gets,
    Operation.GETBATCH: _GetsBatches,
    Operation.READ: _Reads,
    Operation.INSERT: _Inserts,
    Operation.UPDATE: _Updates,
}

_OPTIONAL: Mapping[str, type[WasmStorage]] = {PROBE: _Probes, ADOPT: _Adopts}


def storage_class(operations: Collection[Operation], exports: Collection[str]) -> type[WasmStorage]:
    """Return the class of storages with these operations."""
    return _class(frozenset(operations), frozenset(exports).intersection(_OPTIONAL))


@cache
def _class(operations: frozenset[Operation], optional: frozenset[str]) -> type[WasmStorage]:
    parts = [_OF[operation] for operation in Operation if operation in operations]
    parts += [part for export, part in _OPTIONAL.items() if export in optional]
    return type("WasmStorage", tuple(parts), {"__doc__": WasmStorage.__doc__})
