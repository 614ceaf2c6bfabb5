from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import msgspec

from statehold.sdk import UNSET, Intent, Key, Shared, StorageContext, StorageError, Value, fields, merge
from statehold_zos.model import DiskType, Mode, NamespaceState, ZdbNamespace
from statehold_zos.namespaces import room_of
from statehold_zos.node import Node
from statehold_zos.storage._batches import all_or_none, wanted
from statehold_zos.storage._lease import Lease
from statehold_zos.storage._owners import owner_of
from statehold_zos.storage._rooms import check_room, check_wanted, same_type
from statehold_zos.storage._sealing import Sealing

#: What the storage says; what is written there is not looked at.
_SAID: Final = ("Id", "Host", "Port", "Socket", "Used", "Pool", "State")
_MODES: Final = {mode.value for mode in Mode}
_HIDDEN: Final = {NamespaceState.PENDING, NamespaceState.RELEASED}


@attrs.define(eq=False, kw_only=True)
class Namespace:
    """One partition's 0-db namespaces.

    A password is never read back, and is encrypted wherever it is written down. Any number of threads may
    use it.

    Attributes:
        name: the storage's qualified name.

    """

    name: Final[str]
    _lease: Lease
    _sealing: Sealing
    _owner: str
    _key: Callable[..., Key]
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext, nodes: Shared[Node]) -> Namespace:
        """Share the node of storage `Disk`."""
        lease = Lease.beside(ctx, nodes)
        return cls(
            name=ctx.storage,
            lease=lease,
            sealing=Sealing(lease.config.folder),
            owner=owner_of(ctx),
            key=ctx.key_class,
            value=ctx.value,
        )

    def get(self, key: Key) -> Value | None:
        """Return a namespace, with what it holds now, or None."""
        with self._lease.using("GET") as node:
            found = self._find(node, key)
        return None if found is None else self._row(found)

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order."""
        return list(map(self.get, keys))

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the namespaces of a workspace, by name, or that of one name; all of one moment."""
        given = fields(key)["Name"]
        with self._lease.using("READ") as node:
            found = node.namespaces.list(owner=f"{self._owner}{key.WSID}")
        for each in sorted(found, key=lambda each: each.name):
            if given in (UNSET, each.name) and each.state not in _HIDDEN:
                yield self._key(key.WSID, each.name), self._row(each)

    def value_to_insert(self, key: Key, value: Value) -> Value:
        """Return *value* with its password encrypted, and without what the storage says itself."""
        password: str | None = getattr(value, "Password", None)
        changes: dict[str, Any] = dict.fromkeys(_SAID)
        if password is not None:
            changes["Password"] = self._sealing.close(self._about(key), password)
        return msgspec.structs.replace(value, **changes)

    def value_to_update(self, key: Key, existing: Value, changes: Mapping[str, object]) -> Value:
        """Return *existing* with *changes*, as `value_to_insert`."""
        return self.value_to_insert(key, merge(existing, changes))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for what cannot be, and where no pool has room."""
        with self._lease.using("validate") as node:
            self._check(node, wanted(self.name, items))

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Reserve, change and release namespaces; when it returns all of it is durable.

        A row that is there already gets size, password and whether it is frozen; the same again changes
        nothing. What is released goes last.
        """
        changes = wanted(self.name, items)
        with self._lease.using("apply") as node:
            there = self._check(node, changes)
            with all_or_none(self.name) as undo:
                # Where it is, before anything new may come there; what is given back is another's at once.
                self._resize(node, changes, there, undo, grows=True)
                for key, value in changes.items():
                    if not value.Released and there[key] is None:
                        self._reserve(node, key, value, undo)
                self._resize(node, changes, there, undo, grows=False)
                for key, value in changes.items():
                    found = there[key]
                    if found is not None and not value.Released:
                        self._freeze(node, value, found, undo)
                # Nobody knows the passwords before: they change after all that can be undone.
                for key, value in changes.items():
                    found = there[key]
                    if found is not None and not value.Released and value.Password is not None:
                        password = self._sealing.open(self._about(key), value.Password)
                        node.namespaces.change_password(found.id, password)
                for key, value in changes.items():
                    found = there[key]
                    if found is not None and value.Released:
                        node.namespaces.release(found.id)

    def probe(self) -> None:
        """Raise StorageError where the node does not work."""
        with self._lease.using("probe") as node:
            node.probe()

    def free(self) -> None:
        """Give the node back; namespaces stay, and so do their servers."""
        self._lease.give_back()

    def _reserve(self, node: Node, key: Key, value: Any, undo: list[Callable[[], object]]) -> None:
        made = node.namespaces.reserve(
            DiskType(value.Type),
            value.Size,
            Mode(value.Mode or Mode.USER.value),
            self._sealing.open(self._about(key), value.Password),
            owner=self._owner_of(key),
            name=str(key["Name"]),
        )
        undo.append(partial(node.namespaces.release, made.id, now=True))
        if value.Frozen:
            node.namespaces.freeze(made.id)

    @staticmethod
    def _resize(
        node: Node,
        changes: Mapping[Key, Any],
        there: Mapping[Key, ZdbNamespace | None],
        undo: list[Callable[[], object]],
        *,
        grows: bool,
    ) -> None:
        for key, value in changes.items():
            found = there[key]
            if found is None or value.Released or value.Size == found.size:
                continue
            if (value.Size > found.size) is grows:
                node.namespaces.resize(found.id, value.Size)
                undo.append(partial(node.namespaces.resize, found.id, found.size))

    @staticmethod
    def _freeze(node: Node, value: Any, found: ZdbNamespace, undo: list[Callable[[], object]]) -> None:
        is_frozen = found.state is NamespaceState.FROZEN
        if bool(value.Frozen) is not is_frozen:
            node.namespaces.freeze(found.id, frozen=bool(value.Frozen))
            undo.append(partial(node.namespaces.freeze, found.id, frozen=is_frozen))

    def _check(self, node: Node, changes: Mapping[Key, Any]) -> Mapping[Key, ZdbNamespace | None]:
        """Return the namespaces that are there; StorageError for what cannot be."""
        there = {key: self._find(node, key) for key in changes}
        new, grown = [], []
        for key, value in changes.items():
            if value.Released:
                continue
            disk_type, found = check_wanted(self.name, key, value), there[key]
            who = f"{self.name}: {key['Name']!r}"
            if value.Mode is not None and value.Mode not in _MODES:
                raise StorageError(f"{who}: Mode is {value.Mode!r}, expected 'user' or 'seq'")
            if value.Password is not None:
                password = self._sealing.open(self._about(key), value.Password)
                if not 0 < (size := len(password.encode())) <= 63:
                    raise StorageError(f"{who}: Password has {size} bytes, expected 1 to 63")
                if password == "*":  # noqa: S105  what 0-db takes for none
                    raise StorageError(f"{who}: Password is '*', which stands for none; expected another")
            if found is None:
                if value.Password is None:
                    raise StorageError(
                        f"{who}: Password is missing", hint="Nobody gets a namespace that is open to all"
                    )
                new.append((key, disk_type, room_of(value.Size)))
                continue
            same_type(self.name, key, disk_type, found.disk_type)
            if value.Mode not in (None, found.mode.value):
                raise StorageError(
                    f"{who}: its mode is {found.mode.value}, and cannot become {value.Mode}",
                    hint="Reserve another one, and release this one",
                )
            if value.Size > found.size:
                grown.append((key, found.pool, room_of(value.Size) - room_of(found.size)))
            if found.used > value.Size:
                raise StorageError(
                    f"{who}: holds {found.used:,} bytes, and cannot get {value.Size:,}",
                    hint="Delete some of what is in it first",
                )
        if new or grown:
            check_room(self.name, node.ledger, new, grown)
        return there

    def _find(self, node: Node, key: Key) -> ZdbNamespace | None:
        found = node.namespaces.find(self._owner_of(key), str(key["Name"]))
        return None if found is None or found.state in _HIDDEN else found

    def _owner_of(self, key: Key) -> str:
        return f"{self._owner}{key.WSID}"

    def _about(self, key: Key) -> str:
        return f"{self._owner_of(key)}/{key['Name']}"

    def _row(self, found: ZdbNamespace) -> Value:
        return self._value(
            Type=found.disk_type.value,
            Size=found.size,
            Mode=found.mode.value,
            Frozen=found.state is NamespaceState.FROZEN,
            Id=found.id,
            Host=found.host,
            Port=found.port,
            Socket=str(found.socket),
            Used=found.used,
            Pool=found.pool,
            State=found.state.value,
        )
