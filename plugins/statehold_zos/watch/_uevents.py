from __future__ import annotations

import contextlib
import socket
from typing import Final

_KOBJECT_UEVENT: Final = 15
_FROM_KERNEL: Final = 1
_LARGEST: Final = 64 * 1024


class Uevents:
    """What the kernel says about block devices that come, go or change; no udevd is needed for it.

    Messages only say that it is time to look: several about one disk, or some that were lost, do no harm.
    """

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    @classmethod
    def open(cls) -> Uevents | None:
        """Listen; None where that is impossible, as in some containers: then only the timer tells."""
        family = getattr(socket, "AF_NETLINK", None)
        if family is None:
            return None
        try:
            opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _KOBJECT_UEVENT)
        except OSError:
            return None
        try:
            opened.bind((0, _FROM_KERNEL))
            opened.setblocking(False)  # noqa: FBT003  a position in the standard library
        except OSError:
            opened.close()
            return None
        return cls(opened)

    def fileno(self) -> int:
        """Return what to wait for."""
        return self._socket.fileno()

    def drain(self) -> bool:
        """Take all messages there are; return whether one of them is about a block device."""
        found = False
        while True:
            try:
                message = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return found
            except OSError:  # ENOBUFS: more came than the kernel keeps, so there may have been one
                found = True
                continue
            found = found or b"SUBSYSTEM=block" in message.split(b"\0")

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._socket.close()
