from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from statehold_zos.model import Raid

_STRIPE = 64 * 1024
_PIECES = 1024


def budget(size: int, over_provision: float) -> int:
    """Return how many bytes of a pool may be reserved, which holds *size* bytes.

    Raises:
        ValueError: the factor is not above 0, or not finite.

    """
    if not 0 < over_provision < float("inf"):
        raise ValueError(f"an over-provision factor is a number above 0, got {over_provision!r}")
    return int(size * Fraction(over_provision))  # exact, where a float has lost the last bytes


def usable(raid: Raid, sizes: Sequence[int]) -> int:
    """Return how many bytes of data fit on disks of these sizes, which a file system spreads over them.

    Disks may be of unlike sizes. What the file system needs for itself is not subtracted. 0 where there are
    fewer disks than the level needs.

    Args:
        raid: how the data are spread.
        sizes: bytes of each disk.

    """
    sizes = [size // _STRIPE * _STRIPE for size in sizes]
    if len(sizes) < raid.least:
        return 0
    total = sum(sizes)
    if raid.survives:  # two copies, on two disks always
        return min(total // 2, total - max(sizes))
    return total  # a stripe becomes narrower where disks are full, down to one (Linux 5.15 and later)
