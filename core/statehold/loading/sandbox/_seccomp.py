"""Applies a filter of system calls."""

from __future__ import annotations

import ctypes

from statehold.loading.sandbox._calls import Calls

_SET_FILTER, _ACTION_AVAILABLE = 1, 2
_NEW_LISTENER = 8
_ASK = 0x7FC0_0000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def available(calls: Calls) -> bool:
    """Return whether this kernel filters system calls."""
    return _can(calls, 0x7FFF_0000)


def asks(calls: Calls) -> bool:
    """Return whether a filter can ask another process."""
    return _can(calls, _ASK)


def install(calls: Calls, program: bytes, *, listener: bool) -> int:
    """Filter the system calls of this thread and its children; return what a *listener* reads, else 0.

    OSError says what the kernel refuses; `no_new_privs` has to be set before.
    """
    filtered = _Program(len(program) // 8, program)
    return calls("seccomp", _SET_FILTER, _NEW_LISTENER if listener else 0, ctypes.byref(filtered))


def _can(calls: Calls, action: int) -> bool:
    try:
        calls("seccomp", _ACTION_AVAILABLE, 0, ctypes.byref(ctypes.c_uint32(action)))
    except OSError:
        return False
    return True
