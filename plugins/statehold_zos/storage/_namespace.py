from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs
import msgspec

from statehold.sdk import Key, StorageError, Value
from statehold_zos.model import DiskType, Mode, NamespaceState, ZdbNamespace
from statehold_zos.namespaces import Namespaces, room_of
from statehold_zos.node import Node
from statehold_zos.storage._batches import Undo
from statehold_zos.storage._reserving import Reserving, Work
from statehold_zos.storage._sealing import Sealing

_MODES: Final = {mode.value for mode in Mode}
_HIDDEN: Final = {NamespaceState.PENDING, NamespaceState.RELEASED}


@attrs.define(eq=False, kw_only=True)
class Namespace(Reserving[ZdbNamespace]):
    """One partition's 0-db namespaces.

    A password is never read back, and is encrypted wherever it is written down.
    """

    said = ("Id", "Host", "Port", "Socket", "Used", "Pool", "State")

    def value_to_insert(self, key: Key, value: Value) -> Value:
        """Return *value* with its password encrypted, and without what the storage says itself."""
        password: str | None = getattr(value, "Password", None)
        if password is not None:
            password = self._sealing.close(self._about(key), password)
        return msgspec.structs.replace(super().value_to_insert(key, value), Password=password)

    @property
    def _sealing(self) -> Sealing:
        return Sealing(self._lease.config.folder)

    def _module(self, node: Node) -> Namespaces:
        return node.namespaces

    def _reserve(self, node: Node, key: Key, value: Any, undo: Undo) -> None:
        made = node.namespaces.reserve(
            DiskType(value.Type),
            value.Size,
            Mode(value.Mode or Mode.USER.value),
            self._password(key, value),
            owner=self._owner_of(key),
            name=str(key["Name"]),
        )
        undo.append(partial(node.namespaces.release, made.id, now=True))
        if value.Frozen:
            node.namespaces.freeze(made.id)

    def _change(self, node: Node, work: Work[ZdbNamespace], undo: Undo) -> None:
        for _, value, found, _ in work.kept:
            is_frozen = found.state is NamespaceState.FROZEN
            if bool(value.Frozen) is not is_frozen:
                node.namespaces.freeze(found.id, frozen=not is_frozen)
                undo.append(partial(node.namespaces.freeze, found.id, frozen=is_frozen))
        # Nobody knows the passwords before: they change after all that can be undone.
        for key, value, found, _ in work.kept:
            if value.Password is not None:
                node.namespaces.change_password(found.id, self._password(key, value))

    def _check(self, key: Key, value: Any, found: ZdbNamespace | None) -> None:
        who = f"{self.name}: {key['Name']!r}"
        if value.Mode is not None and value.Mode not in _MODES:
            raise StorageError(f"{who}: Mode is {value.Mode!r}, expected 'user' or 'seq'")
        if value.Password is not None:
            password = self._password(key, value)
            if not 0 < (size := len(password.encode())) <= 63:
                raise StorageError(f"{who}: Password has {size} bytes, expected 1 to 63")
            if password == "*":  # noqa: S105  what 0-db takes for none
                raise StorageError(f"{who}: Password is '*', which stands for none; expected another")
        elif found is None:
            raise StorageError(
                f"{who}: Password is missing", hint="Nobody gets a namespace that is open to all"
            )
        if found is not None and value.Mode not in (None, found.mode.value):
            raise StorageError(
                f"{who}: its mode is {found.mode.value}, and cannot become {value.Mode}",
                hint="Reserve another one, and release this one",
            )

    def _password(self, key: Key, value: Any) -> str:
        return self._sealing.open(self._about(key), value.Password)

    def _about(self, key: Key) -> str:
        return f"{self._owner_of(key)}/{key['Name']}"

    def _measured(self, node: Node, pool: str, size: int) -> tuple[int, int]:  # noqa: ARG002 - alike in all
        return size, room_of(size)

    def _is_there(self, found: ZdbNamespace) -> bool:
        return found.state not in _HIDDEN

    def _type(self, found: ZdbNamespace) -> DiskType:
        return found.disk_type

    def _used(self, node: Node, found: ZdbNamespace) -> int:  # noqa: ARG002 - known already
        return found.used

    def _row(self, node: Node, found: ZdbNamespace) -> Value:  # noqa: ARG002 - known already
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
