from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeVar

import attrs
import msgspec

from statehold.sdk import UNSET, Intent, Key, Shared, StorageContext, StorageError, Value, fields, merge
from statehold_zos.model import DiskType, Space, ZdbNamespace
from statehold_zos.node import Node
from statehold_zos.storage._batches import Undo, all_or_none, wanted
from statehold_zos.storage._lease import Lease
from statehold_zos.storage._rooms import check_room, check_wanted, same_type

Found = TypeVar("Found", Space, ZdbNamespace)
Found_co = TypeVar("Found_co", covariant=True)


class _Module(Protocol[Found_co]):
    """The part of a node that reserves."""

    def find(self, owner: str, name: str) -> Found_co | None: ...

    def list(self, *, owner: str) -> Iterable[Found_co]: ...

    def resize(self, id_: str, size: int, /) -> object: ...

    def release(self, id_: str, /) -> object: ...


@attrs.frozen
class Work(Generic[Found]):
    """What a batch comes to.

    Attributes:
        new: what is to be reserved.
        kept: what is there and stays, each with its row and with the size that it gets.
        gone: what is there and is to be released.

    """

    new: list[tuple[Key, Any]] = attrs.field(factory=list, init=False)
    kept: list[tuple[Key, Any, Found, int]] = attrs.field(factory=list, init=False)
    gone: list[Found] = attrs.field(factory=list, init=False)


@attrs.define(eq=False, kw_only=True)
class Reserving(ABC, Generic[Found]):
    """What one partition has reserved on a node, by name.

    Any number of threads may use it.

    Attributes:
        name: the storage's qualified name.

    """

    #: What the storage says; what is written there is not looked at.
    said: ClassVar[tuple[str, ...]]

    name: Final[str]
    _lease: Lease
    _owner: str
    _key: Callable[..., Key]
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext, nodes: Shared[Node]) -> Self:
        """Share the node of storage `Disk`."""
        return cls(
            name=ctx.storage,
            lease=Lease.beside(ctx, nodes),
            owner=f"{ctx.app}/{ctx.storage}/{ctx.partition}/",  # the number of a workspace follows
            key=ctx.key_class,
            value=ctx.value,
        )

    def get(self, key: Key) -> Value | None:
        """Return what is reserved, with what it holds now, or None."""
        with self._lease.using("GET") as node:
            found = self._find(node, key)
            return None if found is None else self._row(node, found)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return list(map(self.get, keys))

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield what a workspace has, by name, or what has that one name; each as it is when it comes."""
        given = fields(key)["Name"]
        with self._lease.using("READ") as node:
            found = self._module(node).list(owner=self._owner_of(key))
        for each in sorted(found, key=lambda each: each.name):
            if given not in (UNSET, each.name) or not self._is_there(each):
                continue
            with self._lease.using("READ") as node:
                row = self._row(node, each)
            yield self._key(key.WSID, each.name), row

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value* without what the storage says itself."""
        return msgspec.structs.replace(value, **dict.fromkeys(self.said))

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return *existing* with *changes*, as `value_to_insert`."""
        return self.value_to_insert(key, merge(existing, changes))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for what cannot be, and where no pool has room."""
        with self._lease.using("validate") as node:
            self._work(node, items)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Reserve, change and release; when it returns, limits are kept and all of it is durable.

        A row that is there already becomes what it says; the same again changes nothing. What is released
        goes last.
        """
        with self._lease.using("apply") as node:
            module, work = self._module(node), self._work(node, items)
            with all_or_none(self.name) as undo:
                # Where it is, before anything new may come there; what is given back is another's at once.
                _resize(module, work, undo, grows=True)
                for key, value in work.new:
                    self._reserve(node, key, value, undo)
                _resize(module, work, undo, grows=False)
                self._change(node, work, undo)
                for found in work.gone:
                    module.release(found.id)

    def probe(self) -> None:
        """Raise StorageError where the node does not work."""
        with self._lease.using("probe") as node:
            node.probe()

    def free(self) -> None:
        """Give the node back; what is reserved stays."""
        self._lease.give_back()

    def _work(self, node: Node, items: Sequence[Intent]) -> Work[Found]:
        """Return what a batch comes to; StorageError for what cannot be."""
        work: Work[Found] = Work()
        new: list[tuple[Key, DiskType, int]] = []
        grown: list[tuple[Key, str, int]] = []
        for key, value in wanted(self.name, items).items():
            found = self._find(node, key)
            if value.Released:
                work.gone.extend([] if found is None else [found])
                continue
            disk_type = check_wanted(self.name, key, value)
            self._check(key, value, found)
            if found is None:
                work.new.append((key, value))
                new.append((key, disk_type, value.Size))
                continue
            same_type(self.name, key, disk_type, self._type(found))
            size, room = self._measured(node, found.pool, value.Size)
            work.kept.append((key, value, found, size))
            if size > found.size:
                grown.append((key, found.pool, room - self._measured(node, found.pool, found.size)[1]))
            elif size < found.size and (used := self._used(node, found)) > size:
                raise StorageError(
                    f"{self.name}: {found.name!r} holds {used:,} bytes, and cannot get {size:,}",
                    hint="Remove some of what is in it first",
                )
        if new or grown:
            check_room(self.name, node.ledger, new, grown, lambda *asked: self._measured(node, *asked)[1])
        return work

    def _find(self, node: Node, key: Key) -> Found | None:
        found = self._module(node).find(self._owner_of(key), str(key["Name"]))
        return found if found is not None and self._is_there(found) else None

    def _owner_of(self, key: Key) -> str:
        return f"{self._owner}{key.WSID}"

    def _check(self, key: Key, value: Any, found: Found | None) -> None:
        """Raise StorageError for what else cannot be."""

    def _change(self, node: Node, work: Work[Found], undo: Undo) -> None:
        """Do what else rows say of what is kept."""

    @abstractmethod
    def _module(self, node: Node) -> _Module[Found]: ...

    @abstractmethod
    def _reserve(self, node: Node, key: Key, value: Any, undo: Undo) -> None: ...

    @abstractmethod
    def _measured(self, node: Node, pool: str, size: int) -> tuple[int, int]:
        """Return the size that so many bytes get in a pool, and the room that they take of it."""

    @abstractmethod
    def _is_there(self, found: Found) -> bool: ...

    @abstractmethod
    def _type(self, found: Found) -> DiskType: ...

    @abstractmethod
    def _used(self, node: Node, found: Found) -> int: ...

    @abstractmethod
    def _row(self, node: Node, found: Found) -> Value: ...


def _resize(module: _Module[Found], work: Work[Found], undo: Undo, *, grows: bool) -> None:
    for _, _, found, size in work.kept:
        if size != found.size and (size > found.size) is grows:
            module.resize(found.id, size)
            undo.append(partial(module.resize, found.id, found.size))
