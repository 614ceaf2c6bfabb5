from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from statehold.sdk import Key, Value
from statehold_zos.model import DiskType, Space, SpaceState, ZosError
from statehold_zos.node import Node
from statehold_zos.pools import StoragePools
from statehold_zos.storage._batches import Undo
from statehold_zos.storage._reserving import Reserving


@attrs.define(eq=False, kw_only=True)
class Pool(Reserving[Space]):
    """One partition's spaces: folders of a reserved size."""

    said = ("Id", "Path", "Used", "Pool", "State", "Limits")

    def _module(self, node: Node) -> StoragePools:
        return node.pools

    def _reserve(self, node: Node, key: Key, value: Any, undo: Undo) -> None:
        made = node.pools.reserve(
            DiskType(value.Type), value.Size, owner=self._owner_of(key), name=str(key["Name"])
        )
        undo.append(partial(node.pools.release, made.id))

    def _measured(self, node: Node, pool: str, size: int) -> tuple[int, int]:
        return node.pools.measured(pool, size)

    def _is_there(self, found: Space) -> bool:
        return found.state in {SpaceState.READY, SpaceState.GONE}

    def _type(self, found: Space) -> DiskType:
        return found.type

    def _used(self, node: Node, found: Space) -> int:
        return node.pools.usage(found.id)

    def _row(self, node: Node, found: Space) -> Value:
        try:
            used: int | None = node.pools.usage(found.id)
        except ZosError:  # its pool is not there, which the state says
            used = None
        return self._value(
            Type=found.type.value,
            Size=found.size,
            Id=found.id,
            Path=str(found.path),
            Used=used,
            Pool=found.pool,
            State=found.state.value,
            Limits=found.limits,
        )
