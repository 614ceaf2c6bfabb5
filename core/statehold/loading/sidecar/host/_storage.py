from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._calls import call_told
from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar.host._group import Group
from statehold.loading.sidecar.host._lane import LaneFault
from statehold.loading.sidecar.host._reading import read
from statehold.loading.sidecar.host._taking import Taking
from statehold.sdk import CallContext, FreedError, Intent, IStateStorage, Key, StorageError, Value, merge

_calls: Final = itertools.count(1)


class SidecarStorage:
    """A storage that lives in a sidecar, as its host holds it; what it can do is what the real one can.

    Attributes:
        takes_over: whether it has looked for the storage of the version before.

    """

    def __init__(self, name: str, group: Group, handle: int, codecs: Sequence[Codec], bound: Any) -> None:
        self._name = name
        self._group = group
        self._handle = handle
        self._codecs = codecs
        self._codec = codecs[0]
        self._by_class = {
            kind: (at, codec)
            for at, codec in enumerate(codecs)
            for kind in (codec.key_class, codec.value_class)
        }
        self._bound = bound
        self._call: CallContext | None = None
        self._told: tuple[int, bytes] | None = None
        self._freed = False
        self.takes_over = True

    @property
    def group(self) -> Group:
        """The process that it lives in."""
        return self._group

    @property
    def life(self) -> object:
        """Which process it lives in: what one had in memory the next has not; equal to nothing in none."""
        group = self._group
        return group.starts if group.is_running else object()

    @property
    def handle(self) -> int:
        """Its number there."""
        return self._handle

    def free(self) -> None:
        """Free the storage in the sidecar."""
        if self._call is not None:
            return  # what a call sees is not freed, its origin is
        if self._freed:
            raise FreedError(f"{self._name} has been freed already")
        self._freed = True
        self._group.free(self._name, self._handle)

    def _of(self, row: Key) -> tuple[int, Codec]:
        """Return the schema that a key is of: the storage's own, or that of an entity."""
        kind = type(row)
        found = self._by_class.get(kind)
        if found is None:
            # A key for READ is of a class below; a key of another version has the same fields.
            found = next(
                (self._by_class[base] for base in kind.__mro__ if base in self._by_class), (0, self._codec)
            )
        return found

    def _ask(self, kind: int, schema: int, argument: Any, decode: Any, *, again: bool = False) -> Any:
        answer = self._group.ask(kind, self._handle, schema, self._told, argument, decode, again)
        if answer.effects and self._call is not None:
            self._take_effects(answer.effects)
        return answer.result

    def _made(self, codec: Codec, found: Any) -> Value:
        if found is None:
            raise StorageError(f"{self._name}: the sidecar made no value of what is to be written")
        return codec.value_class(*found)

    def _take_effects(self, effects: list[Any]) -> None:
        call = self._call
        assert call is not None  # noqa: S101 - only a call has some
        for kind, what in effects:
            if kind == "result" and call.result is not None:
                call.result(what)
            elif kind == "response" and call.response is not None:
                match what:
                    case [int(status), str(text)]:
                        call.response(status, text)
                    case _:
                        raise StorageError(f"{self._name}: the sidecar answered with a response that is none")


class Gets(SidecarStorage):
    """GET."""

    def get(self, key: Key) -> Value | None:
        """Return the value under *key*, or None."""
        codec, schema = self._codec, 0
        if type(key) is not codec.key_class:
            schema, codec = self._of(key)
        told = self._told
        if told is None:
            found = self._group.ask(k.GET, self._handle, schema, None, codec.key(key), codec.one, True).result  # noqa: FBT003
        else:
            found = self._ask(k.GET, schema, codec.key(key), codec.one, again=True)
        return None if found is None else codec.value_class(*found)


class GetsBatches(SidecarStorage):
    """GETBATCH."""

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        if not keys:
            return []
        schema, codec = self._of(keys[0])
        pack, make = codec.key, codec.value_class
        found = self._ask(k.GETBATCH, schema, [pack(key) for key in keys], codec.many, again=True)
        if found is None or len(found) != len(keys):
            raise StorageError(
                f"{self._name}: the sidecar did not answer {len(keys)} keys with as many values"
            )
        return [None if one is None else make(*one) for one in found]


class Reads(SidecarStorage):
    """READ."""

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys begin with *key*."""
        schema, codec = self._of(key)
        return read(self._group, self._handle, schema, self._told, codec, codec.prefix(key))


class HasRows(SidecarStorage):
    """A storage that gives all its rows to the one that replaces it."""

    def rows(self) -> Iterator[tuple[Key, Value]]:
        """Yield every row."""
        return read(self._group, self._handle, 0, None, self._codec, ())


class Resumes(SidecarStorage):
    """A storage that can take over again, after another one was current."""

    def resume(self, existing: IStateStorage) -> None:
        """Let it take over from *existing*, wherever that lives."""
        group = self._group
        lane = group.lanes.take_to_open()
        taking = Taking(group, lane, self._codec, existing)
        try:
            taking.ask(k.RESUME, self._handle, Taking.told(existing))
        except LaneFault as fault:
            raise group.lanes.give_up(lane, fault) from None
        except BaseException:
            if not taking.answered:
                group.lanes.drop(lane)
            raise


class Applies(SidecarStorage):
    """What INSERT and UPDATE share."""

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise if any of *items* cannot be applied."""
        self._send(k.VALIDATE, items)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Apply *items*, all or none."""
        self._send(k.APPLY, items)

    def _send(self, kind: int, items: Sequence[Intent]) -> None:
        schema, codec = self._of(items[0].key) if items else (0, self._codec)
        self._ask(kind, schema, codec.intents(items), self._group.anything)


class Inserts(SidecarStorage):
    """INSERT, for a storage that stores what it is given."""

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value*."""
        return value


class AsksInserts(SidecarStorage):
    """INSERT."""

    def value_to_insert(self, key: Key, value: Value) -> Value:
        """Return what an INSERT of *value* will store."""
        schema, codec = self._of(key)
        argument = [codec.key(key), codec.value(value)]
        return self._made(codec, self._ask(k.TO_INSERT, schema, argument, codec.one))


class Updates(SidecarStorage):
    """UPDATE, for a storage that stores what it had, with the changes."""

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *existing* with *changes*."""
        return merge(existing, changes)


class AsksUpdates(SidecarStorage):
    """UPDATE."""

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return what an UPDATE will store."""
        schema, codec = self._of(key)
        argument = [codec.key(key), codec.value(existing), codec.changes(changes)]
        return self._made(codec, self._ask(k.TO_UPDATE, schema, argument, codec.one))


class Probes(SidecarStorage):
    """A storage that can tell whether it works."""

    def probe(self) -> None:
        """Raise if the storage cannot serve."""
        self._ask(k.PROBE, 0, None, self._group.anything)


class ForCalls(SidecarStorage):
    """A storage whose answers depend on the call."""

    def for_call(self, call: CallContext) -> SidecarStorage:
        """Return the storage as *call* sees it."""
        seen = cast("SidecarStorage", object.__new__(self._bound))
        seen.__dict__.update(self.__dict__)
        seen._call = call  # noqa: SLF001 - of the same class
        seen._told = (next(_calls), call_told(call))  # noqa: SLF001
        return seen


_PARTS: Final[Mapping[str, type[SidecarStorage]]] = {
    "get": Gets,
    "get_batch": GetsBatches,
    "read": Reads,
    "rows": HasRows,
    "resume": Resumes,
}


def proxy_class(name: str, methods: Sequence[str], usual: Sequence[str], *more: type) -> type[SidecarStorage]:
    """Return the class of a proxy that has exactly those methods."""
    parts = [part for method, part in _PARTS.items() if method in methods]
    if "value_to_insert" in methods:
        parts.append(Inserts if "value_to_insert" in usual else AsksInserts)
    if "value_to_update" in methods:
        parts.append(Updates if "value_to_update" in usual else AsksUpdates)
    if "apply_batch" in methods:
        parts.append(Applies)
    return type(name, (*parts, *more) or (SidecarStorage,), {})
