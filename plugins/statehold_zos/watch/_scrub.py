"""Has the kernel read all of a mounted btrfs, and write anew what is not as it should be; run as a program.

`btrfs scrub` does the same, and leaves a file in /var/lib/btrfs for each file system there ever was.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading

# Of linux/btrfs.h: the number, the size of the argument, and what is in it before and after.
_SCRUB = 3 << 30 | 1024 << 16 | 0x94 << 8 | 27
_WANTED = "<QQQ"
_TO_THE_END = 2**64 - 1
_UNCORRECTABLE_AT = 32 + 11 * 8


def main(root: str, *numbers: str) -> str:
    """Read the disks of these numbers, all at once; return what could not be mended, "" for nothing."""
    told: list[str] = []
    held = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    threads = [threading.Thread(target=_scrub, args=(held, int(number), told)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "; ".join(told)


def _scrub(held: int, number: int, told: list[str]) -> None:
    argument = bytearray(struct.pack(_WANTED, number, 0, _TO_THE_END).ljust(1024, b"\0"))
    try:
        fcntl.ioctl(held, _SCRUB, argument, True)  # noqa: FBT003  a position in the standard library
    except OSError as error:
        told.append(f"disk {number} cannot be read through: {error.strerror}")
        return
    (left,) = struct.unpack_from("<Q", argument, _UNCORRECTABLE_AT)
    if left:
        told.append(f"{left:,} errors of disk {number} cannot be mended")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) or 0)
