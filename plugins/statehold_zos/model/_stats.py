from __future__ import annotations

from collections.abc import Mapping

import attrs

from statehold_zos.model._policies import DiskType


@attrs.frozen(kw_only=True)
class TypeStats:
    """Totals of the disks of one type, in bytes.

    Attributes:
        disks: how many.
        pools: how many.
        size: what the pools may be filled with.
        reserved: what is reserved of it.
        used: what is in use of that.
        free: what may still be reserved.

    """

    disks: int = 0
    pools: int = 0
    size: int = 0
    reserved: int = 0
    used: int = 0
    free: int = 0


@attrs.frozen(kw_only=True)
class DiskStats:
    """Totals by type, and the resource units that follow from them.

    Attributes:
        types: totals of each type.
        sru: SSD storage, in GiB of size.
        hru: HDD storage, in GiB of size.

    """

    types: Mapping[DiskType, TypeStats]
    sru: float
    hru: float
