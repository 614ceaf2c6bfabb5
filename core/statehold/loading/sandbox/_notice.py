"""What the kernel asks when a process in the sandbox connects, and the answer."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Self

import attrs

from statehold.loading.sandbox._calls import Calls

_RECEIVE, _SEND, _IS_VALID, _ADD = 0xC050_2100, 0xC018_2101, 0x4008_2102, 0x4018_2103
_SIZE = 80
_REPLACE = 1
_MOST_ADDRESS = 128


@attrs.frozen
class Notice:
    """A thread that waits in `connect`."""

    listener: int
    number: int
    thread: int
    descriptor: int
    """Of its process, what it connects."""
    address: bytes
    """What it connects to, copied: whatever it changes now, changes nothing."""
    socket: int
    """A duplicate of its descriptor; to be closed."""

    @classmethod
    def receive(cls, calls: Calls, listener: int) -> Self | None:
        """Return who waits; None if it is gone, or was refused because nobody may look into it.

        PermissionError says that this process may not.
        """
        raw = bytearray(_SIZE)
        try:
            fcntl.ioctl(listener, _RECEIVE, raw, True)  # noqa: FBT003 - positional in the library
        except (FileNotFoundError, InterruptedError):
            return None
        number, thread = struct.unpack_from("=QI", raw)
        descriptor, pointer, size = struct.unpack_from("=QQQ", raw, 32)
        try:
            address = _memory(thread, pointer, min(size & 0xFFFF_FFFF, _MOST_ADDRESS))
            duplicate = _duplicate(calls, thread, descriptor & 0xFFFF_FFFF)
        except OSError as error:
            reply(listener, number, errno.EPERM if isinstance(error, PermissionError) else errno.EBADF)
            if isinstance(error, PermissionError):
                raise
            return None
        notice = cls(listener, number, thread, descriptor & 0xFFFF_FFFF, address, duplicate)
        if not notice.is_valid():
            os.close(duplicate)
            return None
        return notice

    def is_valid(self) -> bool:
        """Return whether it still waits; else its thread id may be another's by now."""
        try:
            fcntl.ioctl(self.listener, _IS_VALID, struct.pack("=Q", self.number))
        except OSError:
            return False
        return True

    def put(self, connected: int) -> bool:
        """Put a descriptor of ours in the place of its own; say whether it is still there to take it."""
        raw = struct.pack("=QIIII", self.number, _REPLACE, connected, self.descriptor, os.O_CLOEXEC)
        try:
            fcntl.ioctl(self.listener, _ADD, raw)
        except OSError:
            return False
        return True

    def reply(self, error: int) -> None:
        """End its call with an error number, or 0."""
        reply(self.listener, self.number, error)


def reply(listener: int, number: int, error: int) -> None:
    """End a call that waits; one that is gone does not mind."""
    try:
        fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", number, 0, -error, 0))
    except FileNotFoundError:
        return


def _memory(thread: int, pointer: int, size: int) -> bytes:
    memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, size, pointer)
    finally:
        os.close(memory)


def _duplicate(calls: Calls, thread: int, descriptor: int) -> int:
    with Path(f"/proc/{thread}/status").open("rb") as status:
        process = next(int(line.split()[1]) for line in status if line.startswith(b"Tgid:"))
    handle = os.pidfd_open(process)
    try:
        return calls("pidfd_getfd", handle, descriptor, 0)
    finally:
        os.close(handle)
