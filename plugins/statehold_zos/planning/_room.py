from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from statehold_zos.model import Raid

_STRIPE = 64 * 1024
_PIECES = 1024
_MOST = 2**62  # what a database can count, with room for sums


def budget(size: int, over_provision: float) -> int:
    """Return how many bytes of a pool may be reserved, which holds *size* bytes; 2^62 at most.

    Raises:
        ValueError: the factor is not above 0, or not finite.

    """
    if not 0 < over_provision < float("inf"):
        raise ValueError(f"an over-provision factor is a number above 0, got {over_provision!r}")
    return min(int(size * Fraction(over_provision)), _MOST)  # exact, where a float has lost the last bytes


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
    if raid is Raid.RAID1:
        return min(sum(sizes) // 2, sum(sizes) - max(sizes))
    if raid is Raid.RAID10:
        return _mirrored_stripes(sizes)
    return sum(sizes)  # a stripe becomes narrower where disks are full, down to one (Linux 5.15 and later)


def _mirrored_stripes(left: list[int]) -> int:
    """Return what fits where each stripe goes over all disks with room, as many as make pairs."""
    held, piece = 0, max(_STRIPE, max(left) // _PIECES)
    while len(left) > 1:
        left.sort(reverse=True)
        wide = len(left) // 2 * 2
        # One disk is left out where they are odd, another one each time.
        height = min(piece, left[wide - 1]) if wide < len(left) else left[wide - 1]
        held += height * wide // 2
        left = [size for size in (*(each - height for each in left[:wide]), *left[wide:]) if size]
    return held
