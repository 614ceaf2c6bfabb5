"""System calls that Python's library has no function for."""

from __future__ import annotations

import ctypes
import os
from ctypes import c_long, c_ulong

from statehold.loading.sandbox._numbers import machine

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47


class Calls:
    """The kernel of this machine, called directly."""

    def __init__(self) -> None:
        known = machine()
        if known is None:
            raise OSError(f"the machine is of a kind that the sandbox does not know: {os.uname().machine}")
        self.machine = known
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = c_long

    def __call__(self, name: str, *arguments: object) -> int:
        """Make a call with numbers, bytes, None, or what ctypes passes. OSError says what failed."""
        number = self.machine.numbers[name]
        passed = [c_ulong(each & 2**64 - 1) if isinstance(each, int) else each for each in arguments]
        result: int = self._libc.syscall(c_long(number), *passed)
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, f"{name}: {os.strerror(error)}")
        return result
