from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Final

from statehold_zos.disks._reading import Read, direct
from statehold_zos.model import DiskType

_READS: Final = 33
_PAGE: Final = 4096
# The arm of a disk takes 4 ms and more to another place, the slowest flash less than 1.
_SLOW: Final = 0.002


def measured(path: str) -> DiskType:
    """Return whether a disk is an SSD or an HDD, by how long it takes to read at random places.

    Raises:
        OSError: it cannot be read.

    """
    with direct(path) as (read, size):
        return measure(read, size)


def measure(read: Read, size: int, *, clock: Callable[[], float] = time.perf_counter) -> DiskType:
    """Do the same with any way to read; half of the reads may be slow for another reason."""
    places = random.Random(size)  # noqa: S311  no secret
    took = []
    for _ in range(_READS):
        place = places.randrange(max(1, size // _PAGE)) * _PAGE
        before = clock()
        read(place, _PAGE)
        took.append(clock() - before)
    return DiskType.HDD if statistics.median(took) > _SLOW else DiskType.SSD
