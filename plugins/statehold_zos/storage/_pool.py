from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import msgspec

from statehold.sdk import UNSET, Intent, Key, Shared, StorageContext, StorageError, Value, fields, merge
from statehold_zos.model import DiskType, Space, SpaceState, ZosError
from statehold_zos.node import Node
from statehold_zos.storage._batches import all_or_none, wanted
from statehold_zos.storage._lease import Lease
from statehold_zos.storage._owners import owner_of
from statehold_zos.storage._rooms import check_room, check_wanted, same_type

#: What the storage says; what is written there is not looked at.
_SAID: Final = ("Id", "Path", "Used", "Pool", "State", "Limits")


@attrs.define(eq=False, kw_only=True)
class Pool:
    """One partition's spaces: folders of a reserved size.

    Any number of threads may use it.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _lease: Lease
    _owner: str
    _key: Callable[..., Key]
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext, nodes: Shared[Node]) -> Pool:
        """Share the node of storage `Disk`."""
        return cls(
            name=ctx.storage,
            lease=Lease.beside(ctx, nodes),
            owner=owner_of(ctx),
            key=ctx.key_class,
            value=ctx.value,
        )

    def get(self, key: Key) -> Value | None:
        """Return a space, with what it holds now, or None."""
        with self._lease.using("GET") as node:
            space = self._find(node, key)
            return None if space is None else self._row(node, space)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return list(map(self.get, keys))

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the spaces of a workspace, by name, or that of one name; each as it is when it comes."""
        given = fields(key)["Name"]
        with self._lease.using("READ") as node:
            spaces = node.pools.list(owner=f"{self._owner}{key.WSID}")
        for space in sorted(spaces, key=lambda space: space.name):
            if given not in (UNSET, space.name) or not _is_there(space):
                continue
            with self._lease.using("READ") as node:
                row = self._row(node, space)
            yield self._key(key.WSID, space.name), row

    def value_to_insert(self, key: Key, value: Value) -> Value:  # noqa: ARG002
        """Return *value* without what the storage says itself."""
        return msgspec.structs.replace(value, **dict.fromkeys(_SAID))

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return *existing* with *changes*, without what the storage says itself."""
        return self.value_to_insert(key, merge(existing, changes))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for what cannot be, and where no pool has room."""
        with self._lease.using("validate") as node:
            self._check(node, wanted(self.name, items))

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Reserve, resize and release spaces; when it returns, limits are kept and all of it is durable.

        A row that is there already gets the size; the same again changes nothing. What is released goes last.
        """
        changes = wanted(self.name, items)
        with self._lease.using("apply") as node:
            there = self._check(node, changes)
            with all_or_none(self.name) as undo:
                for key, value in changes.items():  # where it is, before anything new may come there
                    space = there[key]
                    if space is not None and not value.Released and value.Size > space.size:
                        node.pools.resize(space.id, value.Size)
                        undo.append(partial(node.pools.resize, space.id, space.size))
                for key, value in changes.items():
                    if there[key] is None and not value.Released:
                        made = node.pools.reserve(
                            DiskType(value.Type), value.Size, owner=self._owner_of(key), name=str(key["Name"])
                        )
                        undo.append(partial(node.pools.release, made.id))
                for key, value in changes.items():
                    space = there[key]
                    if space is not None and not value.Released and value.Size < space.size:
                        node.pools.resize(space.id, value.Size)
                        undo.append(partial(node.pools.resize, space.id, space.size))
                for key, value in changes.items():
                    space = there[key]
                    if space is not None and value.Released:
                        node.pools.release(space.id)

    def probe(self) -> None:
        """Raise StorageError where the node does not work."""
        with self._lease.using("probe") as node:
            node.probe()

    def free(self) -> None:
        """Give the node back; spaces stay."""
        self._lease.give_back()

    def _check(self, node: Node, changes: Mapping[Key, Any]) -> Mapping[Key, Space | None]:
        """Return the spaces that are there; StorageError for what cannot be."""
        there = {key: self._find(node, key) for key in changes}
        new, grown = [], []
        for key, value in changes.items():
            if value.Released:
                continue
            disk_type, space = check_wanted(self.name, key, value), there[key]
            if space is None:
                new.append((key, disk_type, value.Size))
            else:
                same_type(self.name, key, disk_type, space.type)
                if value.Size > space.size:
                    grown.append((key, space.pool, value.Size - space.size))
                used = node.pools.usage(space.id) if value.Size < space.size else 0
                if used > value.Size:
                    raise StorageError(
                        f"{self.name}: {space.name!r} holds {used:,} bytes, and cannot get {value.Size:,}",
                        hint="Remove some of what is in it first",
                    )
        if new or grown:
            check_room(self.name, node.ledger, new, grown)
        return there

    def _find(self, node: Node, key: Key) -> Space | None:
        space = node.pools.find(self._owner_of(key), str(key["Name"]))
        return space if space is not None and _is_there(space) else None

    def _owner_of(self, key: Key) -> str:
        return f"{self._owner}{key.WSID}"

    def _row(self, node: Node, space: Space) -> Value:
        try:
            used: int | None = node.pools.usage(space.id)
        except ZosError:  # its pool is not there, which the state says
            used = None
        return self._value(
            Type=space.type.value,
            Size=space.size,
            Id=space.id,
            Path=str(space.path),
            Used=used,
            Pool=space.pool,
            State=space.state.value,
            Limits=space.limits,
        )


def _is_there(space: Space) -> bool:
    return space.state in {SpaceState.READY, SpaceState.GONE}
