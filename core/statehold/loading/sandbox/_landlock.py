"""Landlock: which files a process may use, whatever mounts show it."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence

from statehold.loading.sandbox._calls import Calls

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE = 1 << 4 | 1 << 5
_MAKE_DIR, _MAKE_REG = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _READ_FILE | _READ_DIR
# Neither links nor pipes: the host may work in the same folder later, and would follow them, or wait.
_WRITE = _READ | _WRITE_FILE | _REMOVE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_BY_VERSION = ((1, (1 << 13) - 1), (2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV))

_VERSION_FLAG = 1
_PATH_BENEATH = 1


def version(calls: Calls) -> int:
    """Return the version of Landlock here, 0 if there is none."""
    try:
        return calls("landlock_create_ruleset", None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def restrict(
    calls: Calls,
    *,
    read: Sequence[str],
    write: Sequence[str],
    devices: Sequence[str],
    execute: Sequence[str],
) -> None:
    """Allow this thread and its children what these paths are for, and no other file, TCP port or signal.

    Paths that do not exist are left out. OSError if Landlock refuses; `no_new_privs` has to be set before.
    """
    known = version(calls)
    handled = sum(rights for since, rights in _BY_VERSION if known >= since)
    ports = 3 if known >= 4 else 0
    scopes = 3 if known >= 6 else 0
    size = 8 * (1 + (known >= 4) + (known >= 6))
    attributes = struct.pack("=QQQ", handled, ports, scopes)[:size]
    rules = calls("landlock_create_ruleset", attributes, size, 0)
    try:
        for paths, rights in (
            (read, _READ),
            (write, _WRITE),
            (devices, _READ_FILE | _WRITE_FILE),
            (execute, _READ_FILE | _EXECUTE),
        ):
            for path in paths:
                _allow(calls, rules, path, rights & handled)
        calls("landlock_restrict_self", rules, 0)
    finally:
        os.close(rules)


def _allow(calls: Calls, rules: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return  # what cannot be reached needs no right
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, descriptor))
        calls("landlock_add_rule", rules, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
