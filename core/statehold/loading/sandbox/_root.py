"""A root folder that has only what the process needs."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

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
) -> None:
    """Make a new root with these paths where they are, a private /tmp and the texts *files*, and go there.

    For a process that is alone in its mount namespace and may mount. OSError says what failed.
    """
    nothing = ctypes.c_char_p(None)
    calls("mount", nothing, b"/", nothing, _MS_PRIVATE | _MS_RECURSIVE, nothing)
    _mount_tmpfs(calls, _ON, _NO_SET_ID | _NO_DEVICES, "size=1m,nr_inodes=4k,mode=755")
    fixed = _NO_SET_ID | _NO_DEVICES
    Path(_ON, "tmp").mkdir()
    size = f"size={max(tmp_bytes, 4096)},nr_inodes={max(tmp_bytes // 4096, 64)},mode=1777"
    _mount_tmpfs(calls, str(Path(_ON, "tmp")), fixed | _NO_EXECUTE, size)
    trees = dict.fromkeys(readable.paths, fixed | _READ_ONLY)
    trees |= dict.fromkeys(DEVICES, _NO_SET_ID | _NO_EXECUTE)
    trees |= dict.fromkeys(writable, fixed | _NO_EXECUTE)
    trees |= dict.fromkeys(readable.covered, 0)
    for path, attributes in sorted(trees.items()):  # what lies in another one is put there after it
        if attributes:
            _bind(calls, path, attributes)
        else:
            Path(_ON + path).mkdir(parents=True, exist_ok=True)
            _mount_tmpfs(calls, _ON + path, fixed | _NO_EXECUTE, "size=64k,mode=755")
    for link, real in readable.links:
        place = Path(_ON + link)
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(real)
    for name, text in files.items():
        place = Path(_ON + name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    os.chdir(_ON)
    calls("pivot_root", b".", b".")
    calls("umount2", b".", _DETACH)
    os.chdir("/")
    attributes = fixed | _NO_EXECUTE | _READ_ONLY
    calls("mount_setattr", _HERE, b"/", 0, struct.pack("=QQQQ", attributes, 0, 0, 0), 32)


def _bind(calls: Calls, path: str, attributes: int) -> None:
    place = Path(_ON + path)
    tree = calls("open_tree", _HERE, os.fsencode(path), _BIND_TREE)
    try:
        change = struct.pack("=QQQQ", attributes, 0, 0, 0)
        calls("mount_setattr", tree, b"", _EMPTY_PATH | _RECURSIVE, change, len(change))
        if Path(path).is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(0o444)
        calls("move_mount", tree, b"", _HERE, os.fsencode(place), _FROM_EMPTY_PATH)
    finally:
        os.close(tree)


def _mount_tmpfs(calls: Calls, target: str, flags: int, options: str) -> None:
    calls("mount", b"tmpfs", target.encode(), b"tmpfs", flags, options.encode())
