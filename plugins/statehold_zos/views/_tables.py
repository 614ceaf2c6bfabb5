from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from statehold_zos.model import (
    DiskInfo,
    DiskStats,
    DiskType,
    NamespaceState,
    PoolInfo,
    Space,
    TypeStats,
    ZdbNamespace,
    size_text,
)
from statehold_zos.views._bars import bar

_GOOD: Final = {"ready", "pool", "free"}
_BAD: Final = {"gone", "failing", "refused"}
_ORDER: Final = {kind: place for place, kind in enumerate(DiskType)}
_SIZES: Final = ("IN USE", "RESERVED", "FREE", "SIZE")
_NAME: Final = 48


def cells(*said: str | Text) -> Iterator[Text]:
    """Yield what a row of a table says, as it is: nothing in it is taken for a style or by the terminal."""
    for each in said:
        yield each if isinstance(each, Text) else Text(_shown(each))


def pools_table(pools: Iterable[PoolInfo]) -> Table:
    """Return the pools, each with a bar of its capacity."""
    table = _table("POOL", "TYPE", "DISKS", "", right=_SIZES)
    table.add_column("CLAIMS", justify="right")
    table.add_column("STATE")
    for pool in sorted(pools, key=lambda pool: (_ORDER[pool.type], pool.id)):
        count = len(pool.disks)
        disks = f"{count} {pool.raid.value}" if count > 1 else "1"
        sizes = map(size_text, (pool.used, pool.reserved, pool.free, pool.size))
        filled = bar(pool.size, pool.reserved, pool.used)
        row = (pool.id, pool.type.value, disks, filled, *sizes, f"{pool.spaces:,}")
        table.add_row(*cells(*row, _state(pool.state.value)))
    return table


def reasons(pools: Iterable[PoolInfo]) -> list[str]:
    """Return why pools are not ready, in words."""
    return [f"{pool.id} is {pool.state.value}: {pool.reason}" for pool in pools if pool.reason]


def totals_table(stats: DiskStats) -> Table:
    """Return the totals of each type of disks."""
    table = _table("TYPE", "DISKS", "POOLS", "", right=_SIZES)
    for kind in DiskType:
        totals = stats.types.get(kind, TypeStats())
        if not totals.disks and not totals.pools:
            continue
        sizes = map(size_text, (totals.used, totals.reserved, totals.free, totals.size))
        filled = bar(totals.size, totals.reserved, totals.used)
        table.add_row(*cells(kind.value, f"{totals.disks:,}", f"{totals.pools:,}", filled, *sizes))
    return table


def disks_table(disks: Iterable[DiskInfo]) -> Table:
    """Return the disks, each with what it is and why."""
    table = _table("DISK", "TYPE", right=("SIZE",))
    for name in ("STATE", "POOL", "WHY"):
        table.add_column(name)
    for disk in disks:
        why = disk.reason or ("" if disk.health.good else disk.health.reason)
        if disk.found and disk.state.value in {"foreign", "refused"} and not disk.reason:
            why = f"holds {', '.join(disk.found)}"
        kind = disk.type.value if disk.type is not None else "?"
        row = (disk.name, kind, size_text(disk.size), _state(disk.state.value), disk.pool or "-", why)
        table.add_row(*cells(*row))
    return table


def spaces_table(spaces: Sequence[Space]) -> Table:
    """Return the spaces, each with how full it is."""
    table = _table("SPACE", "TYPE", "", right=("IN USE", "SIZE"))
    for name in ("NAME", "OWNER", "STATE", "POOL"):
        table.add_column(name)
    for space in spaces:
        filled = bar(space.size, space.size, space.used, width=12)
        sizes = map(size_text, (space.used, space.size))
        names = (_name(space.name), _name(space.owner))
        row = (space.id, space.type.value, filled, *sizes, *names, _state(space.state.value), space.pool)
        table.add_row(*cells(*row))
    return table


def namespaces_table(namespaces: Sequence[ZdbNamespace]) -> Table:
    """Return the namespaces, each with how full it is and where it is served."""
    table = _table("NAMESPACE", "TYPE", "MODE", "", right=("IN USE", "SIZE"))
    for name in ("NAME", "OWNER", "STATE", "SERVED AT", "POOL"):
        table.add_column(name)
    for each in namespaces:
        filled = bar(each.size, each.size, each.used, width=12)
        sizes = map(size_text, (each.used, each.size))
        served = f"{each.host}:{each.port}" if each.state is not NamespaceState.GONE else "-"
        kinds = (each.id, each.disk_type.value, each.mode.value)
        names = (_name(each.name), _name(each.owner))
        table.add_row(*cells(*kinds, filled, *sizes, *names, _state(each.state.value), served, each.pool))
    return table


def _table(*left: str, right: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in left:
        table.add_column(name, no_wrap=not name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right")
    return table


def _name(name: str) -> str:
    """Return what an app calls something; of a long one the beginning."""
    return (name if len(name) <= _NAME else f"{name[: _NAME - 1]}…") or "-"


def _shown(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )


def _state(state: str) -> Text:
    return Text(state, style="green" if state in _GOOD else "bold red" if state in _BAD else "yellow")
