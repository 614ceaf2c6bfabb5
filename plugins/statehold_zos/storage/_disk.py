from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from statehold.sdk import UNSET, Intent, Key, Shared, StorageContext, StorageError, Value, fields, merge
from statehold_zos.config import read_config
from statehold_zos.model import Config, DiskInfo, DiskState, DiskType, Plain, PoolInfo, ZosError, size_of
from statehold_zos.node import Node
from statehold_zos.storage._batches import all_or_none
from statehold_zos.storage._config import DiskConfig
from statehold_zos.storage._lease import Lease

#: What can be written; the rest is what the storage says.
_WRITTEN: Final = ("Type", "Failing")


@attrs.define(eq=False, kw_only=True)
class Disk:
    """The disks of a node, the same for all workspaces; it says for `Pool` and `Namespace` which node it is.

    Nobody can wipe a disk by it, or prepare one: that stays with the operator. Any number of threads may use
    it.

    Attributes:
        name: the storage's qualified name.
        config: of the node.

    """

    name: Final[str]
    config: Config
    _lease: Lease
    _key: Callable[..., Key]
    _value: Callable[..., Value]

    @classmethod
    def open(cls, ctx: StorageContext, nodes: Shared[Node]) -> Disk:
        """Open the node of a configuration, or one in a folder of the storage's data folder.

        Raises:
            StorageError: the configuration is wrong or may not be used, or the node cannot be started.

        """
        wanted: DiskConfig = ctx.config or DiskConfig()
        try:
            config = read_config(_allowed(ctx, wanted.Config)) if wanted.Config else _own(ctx, wanted)
        except ZosError as error:
            raise StorageError(f"{ctx.storage}: {error.message}", hint=error.hint) from error
        lease = Lease.of(ctx, nodes, config)
        made = cls(name=ctx.storage, config=config, lease=lease, key=ctx.key_class, value=ctx.value)
        if not wanted.Config:
            try:
                with lease.using("prepare") as node:
                    node.disks.prepare()
            except BaseException:
                lease.give_back()
                raise
        return made

    @property
    def node(self) -> Node:
        """The node, for Python."""
        with self._lease.using("look") as node:
            return node

    def get(self, key: Key) -> Value | None:
        """Return a disk, as it is now, or None."""
        return self.get_batch([key])[0]

    def get_batch(self, keys: Sequence[Key]) -> Sequence[Value | None]:
        """Return one answer per key, in order, all of one look."""
        if not keys:
            return []
        with self._lease.using("GETBATCH") as node:
            disks = {disk.name: disk for disk in node.disks.scan()}
            pools = {pool.id: pool for pool in node.disks.pools()}
        return [
            None if (disk := disks.get(str(key["Name"]))) is None else self._row(disk, pools) for key in keys
        ]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the disks by name, or that of one name; all of one look."""
        given = fields(key)["Name"]
        with self._lease.using("READ") as node:
            disks, pools = node.disks.scan(), {pool.id: pool for pool in node.disks.pools()}
        for disk in sorted(disks, key=lambda disk: disk.name):
            if given in (UNSET, disk.name):
                yield self._key(key.WSID, disk.name), self._row(disk, pools)

    def value_to_update(self, key: Key, existing: Any, changes: Mapping[str, object]) -> Value:  # noqa: ARG002
        """Return *changes* alone: what was read may be otherwise by the time that they are applied.

        They are laid over those that wait already, which show by what the storage does not say of them.
        """
        merged = merge(existing if existing.State is None else self._value(), changes)
        said = [name for name in merged.__struct_fields__ if name not in _WRITTEN]
        return msgspec.structs.replace(merged, **dict.fromkeys(said))

    def validate(self, items: Sequence[Intent]) -> None:
        """Raise StorageError for a disk that is not there, and for a type that it cannot get."""
        with self._lease.using("validate") as node:
            self._check(node, items)

    def apply_batch(self, items: Sequence[Intent]) -> None:
        """Say of disks of which type they are, and whether they can be relied on."""
        with self._lease.using("apply") as node:
            there = self._check(node, items)
            with all_or_none(self.name) as undo:
                for item in items:
                    value: Any = item.value
                    disk = there[str(item.key["Name"])]
                    if value.Type is not None and DiskType(value.Type) is not disk.type:
                        node.disks.set_type(disk.name, DiskType(value.Type))
                        undo.append(partial(node.disks.set_type, disk.name, disk.type))
                    failing = disk.state is DiskState.FAILING
                    if value.Failing not in (None, failing):
                        node.disks.mark(disk.name, f"{self.name} says so" if value.Failing else "")
                        undo.append(partial(node.disks.mark, disk.name, disk.reason if failing else ""))
                    there = self._check(node, items)

    def probe(self) -> None:
        """Raise StorageError where the node does not work."""
        with self._lease.using("probe") as node:
            node.probe()

    def free(self) -> None:
        """Give the node back; the last one to do so stops looking after it."""
        self._lease.give_back()

    def _check(self, node: Node, items: Sequence[Intent]) -> Mapping[str, DiskInfo]:
        if not items:
            return {}
        there = {disk.name: disk for disk in node.disks.scan()}
        for item in items:
            value: Any = item.value
            who = f"{self.name}: {item.key['Name']!r}"
            disk = there.get(str(item.key["Name"]))
            if disk is None:
                raise StorageError(f"{who} is no disk of this node", hint="READ yields those there are")
            if value.Type is None:
                continue
            if value.Type not in {kind.value for kind in DiskType}:
                raise StorageError(f"{who}: Type is {value.Type!r}, expected 'ssd' or 'hdd'")
            if DiskType(value.Type) is disk.type:
                continue
            if disk.name in node.config.types:
                raise StorageError(
                    f"{who} is {disk.type.value if disk.type else 'of no type'} by the node's configuration,"
                    f" and cannot become {value.Type}",
                    hint="The operator changes it there",
                )
            if disk.pool:
                raise StorageError(
                    f"{who} is of pool {disk.pool}, and keeps its type",
                    hint="The operator wipes the pool first",
                )
        return there

    def _row(self, disk: DiskInfo, pools: Mapping[str, PoolInfo]) -> Value:
        pool = pools.get(disk.pool)
        return self._value(
            Type=disk.type.value if disk.type is not None else None,
            Failing=disk.state is DiskState.FAILING,
            Device=disk.device,
            Size=disk.size,
            State=disk.state.value,
            Reason=disk.reason,
            Found=", ".join(disk.found),
            Pool=disk.pool,
            PoolState=pool.state.value if pool else None,
            PoolSize=pool.size if pool else None,
            PoolReserved=pool.reserved if pool else None,
            PoolUsed=pool.used if pool else None,
            PoolFree=pool.free if pool else None,
            Limits=pool.limits if pool else None,
        )


def _own(ctx: StorageContext, wanted: DiskConfig) -> Config:
    """Return the configuration of a node with one folder, which is there without any preparation."""
    folder = ctx.data_folder.resolve()
    disk = folder / "disk"
    return Config(
        folder=folder / "node",
        plain=(Plain(path=disk, size=size_of(wanted.Size)),),
        types={str(disk): DiskType(wanted.Type)},
    )


def _allowed(ctx: StorageContext, given: str) -> Path:
    """Return the path of a configuration that the operator allows: it stands in the app's own text."""
    if given not in map(str, ctx.allowances.get("zos", ())):
        raise StorageError(
            f"{ctx.storage}: may not use the node of {given}",
            hint='The operator allows it in the descriptor: "Storages": {"'
            f'{ctx.storage}": {{"allow": {{"zos": ["{given}"]}}}}}}',
        )
    return Path(given)
