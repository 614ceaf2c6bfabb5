"""Which disk of the operator's is which disk of a mounted btrfs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import attrs

from statehold_zos.disks import Device, PoolRecord
from statehold_zos.watch._btrfs import Member


@attrs.frozen(kw_only=True)
class Layout:
    """The disks of a mounted pool.

    Attributes:
        members: by the names that operators use; of a disk that is away, as the kernel remembers it.
        stale: names of disks that are there, and that the kernel does not use as they are now: it looked for
            them when it mounted the pool, and has to mount it anew.
        complete: whether each of the kernel's disks has a name.

    """

    members: Mapping[str, Member]
    stale: frozenset[str]
    complete: bool


def layout(
    record: PoolRecord, members: Sequence[Member], devices: Mapping[str, Device], there: frozenset[str]
) -> Layout:
    """Find the name of each disk that the kernel has.

    Args:
        record: what is kept about the pool.
        members: what the kernel has.
        devices: the disks that are allowed.
        there: names of those that are there.

    """
    paths = {os.path.realpath(found): name for name in there if (found := devices[name].find())}
    known = {paths[each.device]: each for each in members if each.device in paths}
    unknown = [each for each in members if each.device not in paths]
    nameless = [name for name in record.disks if name not in known]
    elsewhere = {os.path.realpath(found) for device in devices.values() if (found := device.find())}
    # Where another disk is now, this one is not any more; or it has taken its place over just now.
    if len(unknown) == 1 == len(nameless) and unknown[0].device not in elsewhere - _at(nameless[0], devices):
        known[nameless[0]] = unknown[0]
    stale = {name for name, each in known.items() if name in there and not each.writeable}
    stale |= {name for name in nameless if name in there}
    return Layout(
        members=known,
        stale=frozenset(stale),
        complete=len(known) == len(members),
    )


def _at(name: str, devices: Mapping[str, Device]) -> set[str]:
    return {os.path.realpath(found)} if (found := devices[name].find()) else set()
