"""Who a process is, and what that gives it."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

from statehold.loading.sandbox._calls import (
    PR_CAP_AMBIENT,
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    PR_SET_SECUREBITS,
    Calls,
)

FIRST_UID = 0x7000_0000  # above what distributions and containers hand out
_UIDS = 0x0FF0_0000

_CAPABILITIES = 64
_CLEAR_AMBIENT = 4
_NO_ROOT_LOCKED = 0x2F
_VERSION_3 = 0x2008_0522


def app_uid(app: str) -> int:
    """Return the user and group id of the processes of *app* ("acme.bills"), always the same.

    It lies between 1,879,048,192 and 2,146,435,071, above what distributions and containers use.
    """
    return FIRST_UID + 1 + int.from_bytes(hashlib.sha256(app.encode()).digest()[:8]) % (_UIDS - 1)


def hand_over(folder: str, uid: int) -> None:
    """Give a folder, with all that is in it, to user and group *uid*, unless it is theirs.

    Links are not followed. The folder itself comes last, so that what was interrupted is done again; so is
    what another user, who works in it as well, has marked by the folder's group.
    """
    found = os.lstat(folder)
    if found.st_uid == found.st_gid == uid:
        return
    for _, folders, files, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in (*folders, *files):
            os.chown(name, uid, uid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, uid, uid, follow_symlinks=False)


def become(uid: int) -> None:
    """Become user and group *uid*, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def own_user_namespace(calls: Calls, flags: int) -> None:
    """Enter a user namespace, and those of *flags* in it, as the user that this process is.

    OSError says what the kernel refuses. It has all capabilities in there, until `drop_capabilities`.
    """
    uid, gid = os.geteuid(), os.getegid()
    calls("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # else its own entries in /proc are not its own
    calls("unshare", flags)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", name).write_bytes(text.encode())


def drop_capabilities(calls: Calls) -> None:
    """Give up all capabilities that this process has."""
    calls("prctl", PR_CAP_AMBIENT, _CLEAR_AMBIENT, 0, 0, 0)
    calls("capset", struct.pack("=Ii", _VERSION_3, 0), bytes(24))


def bound_capabilities(calls: Calls) -> None:
    """Let nothing give this process a capability again; those that it has, stay."""
    try:
        calls("prctl", PR_SET_SECUREBITS, _NO_ROOT_LOCKED, 0, 0, 0)
        for capability in range(_CAPABILITIES):
            calls("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0)
    except OSError:
        return  # the last one that the kernel knows; or it has none that could be dropped
