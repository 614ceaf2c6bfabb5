"""A root folder that has only what the process needs."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping, Sequence

from statehold.loading.sandbox._calls import Calls
from statehold.loading.sandbox._paths import DEVICES, Readable

_BIND_TREE = 0x0001 | 0x0008_0000 | 0x8000  # OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE
_EMPTY_PATH, _RECURSIVE = 0x1000, 0x8000
_FROM_EMPTY_PATH = 0x0004
_HERE = -100

_READ_ONLY, _NO_SET_ID, _NO_DEVICES, _NO_EXECUTE = 1, 2, 4, 8
_MS_PRIVATE, _MS_RECURSIVE = 1 << 18, 1 << 14
_DETACH = 2

_ON = "/proc"  # a folder that every machine has and no policy names


def build(
    calls: Calls,
    readable: Readable,
    *,
    writable: Sequence[str],
    files: Mapping[str, str],
    tmp_bytes: int,
    execute: bool,
) -> None:
    """Make a new root with these paths where they are, a private /tmp and the texts *files*, and go there.

    For a process that is alone in its mount namespace and may mount. OSError says what failed; *execute* leaves
    programs executable where they are readable.
    """
    _mount(calls, None, "/", None, _MS_PRIVATE | _MS_RECURSIVE, None)
    _mount(calls, b"tmpfs", _ON, b"tmpfs", _NO_SET_ID | _NO_DEVICES, b"size=1m,nr_inodes=4k,mode=755")
    fixed = _NO_SET_ID | _NO_DEVICES
    os.makedirs(_ON + "/tmp")  # noqa: S108 - below the new root
    _mount(
        calls,
        b"tmpfs",
        _ON + "/tmp",  # noqa: S108 - likewise
        b"tmpfs",
        fixed | _NO_EXECUTE,
        f"size={max(tmp_bytes, 4096)},nr_inodes={max(tmp_bytes // 4096, 64)},mode=1777".encode(),
    )
    trees = {path: fixed | _READ_ONLY for path in readable.paths}
    trees |= {path: _NO_SET_ID | _NO_EXECUTE for path in DEVICES}
    trees |= {path: fixed | _NO_EXECUTE for path in writable}
    for path, attributes in sorted(trees.items()):  # what lies in another one is put there after it
        _bind(calls, path, attributes)
    for link, real in readable.links:
        place = _ON + link
        if not os.path.lexists(place):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(real, place)
    for name, text in files.items():
        place = _ON + name
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(text.encode())
    os.chdir(_ON)
    calls("pivot_root", b".", b".")
    calls("umount2", b".", _DETACH)
    os.chdir("/")
    attributes = fixed | _READ_ONLY | (0 if execute else _NO_EXECUTE)
    calls("mount_setattr", _HERE, b"/", 0, struct.pack("=QQQQ", attributes, 0, 0, 0), 32)


def _bind(calls: Calls, path: str, attributes: int) -> None:
    place = _ON + path
    tree = calls("open_tree", _HERE, os.fsencode(path), _BIND_TREE)
    try:
        change = struct.pack("=QQQQ", attributes, 0, 0, 0)
        calls("mount_setattr", tree, b"", _EMPTY_PATH | _RECURSIVE, change, len(change))
        if os.path.isdir(path):
            os.makedirs(place, exist_ok=True)
        elif not os.path.lexists(place):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.close(os.open(place, os.O_CREAT | os.O_CLOEXEC, 0o444))
        calls("move_mount", tree, b"", _HERE, os.fsencode(place), _FROM_EMPTY_PATH)
    finally:
        os.close(tree)


def _mount(
    calls: Calls, source: bytes | None, target: str, kind: bytes | None, flags: int, options: bytes | None
) -> None:
    calls("mount", source, os.fsencode(target), kind, flags, ctypes.c_char_p(options))
