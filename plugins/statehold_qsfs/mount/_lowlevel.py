"""The part of libfuse that asks by number, which mfusepy does not wrap: its structures and functions."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Final

from statehold_qsfs.mount._errors import MountError
from statehold_qsfs.mount._library import load

_mfusepy: Final = load()

ConnInfo: Final[Any] = _mfusepy.fuse_conn_info
FileInfo: Final[Any] = _mfusepy.fuse_file_info
Stat: Final[Any] = _mfusepy.c_stat
StatVfs: Final[Any] = _mfusepy.c_statvfs
VERSION: Final = (_mfusepy.fuse_version_major, _mfusepy.fuse_version_minor)

# What a kernel can do, and a filesystem may want.
ATOMIC_TRUNCATE, AUTO_INVALIDATE, READDIRPLUS, READDIRPLUS_AUTO = 1 << 3, 1 << 12, 1 << 13, 1 << 14
WRITEBACK, KILL_PRIVILEGES, CACHE_SYMLINKS = 1 << 16, 1 << 20, 1 << 23
#: Not among those that libfuse knows: in its answer to the kernel, where flags are.
KILL_PRIVILEGES_2, ANSWER_FLAGS = 1 << 28, 28

SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME = 1, 2, 4, 8, 16, 32
SET_ATIME_NOW, SET_MTIME_NOW, SET_CTIME = 1 << 7, 1 << 8, 1 << 10


class Entry(Structure):
    """What a name in a directory stands for, and for how many seconds the kernel may rely on it."""

    _fields_ = (
        ("ino", c_uint64),
        ("generation", c_uint64),
        ("attr", Stat),
        ("attr_timeout", c_double),
        ("entry_timeout", c_double),
    )


class Context(Structure):
    """Who asks."""

    _fields_ = (("uid", c_uint32), ("gid", c_uint32), ("pid", c_int32), ("umask", c_uint32))


class Forget(Structure):
    """How many lookups of a file the kernel forgets."""

    _fields_ = (("ino", c_uint64), ("lookups", c_uint64))


class Arguments(Structure):
    """A command line."""

    _fields_ = (("count", c_int), ("values", POINTER(c_char_p)), ("allocated", c_int))


class Buffer(Structure):
    """A request."""

    _fields_ = (
        ("size", c_size_t),
        ("flags", c_int),
        ("memory", c_void_p),
        ("fd", c_int),
        ("position", c_int64),
    )


_REQUEST, _INO, _NAME, _SIZE, _OFFSET = c_void_p, c_uint64, c_char_p, c_size_t, c_int64
_FILE: Final = POINTER(FileInfo)

#: What the kernel asks, in the order of libfuse's structure; without arguments: nothing here answers it.
ASKED: Final[Mapping[str, tuple[Any, ...]]] = {
    "init": (c_void_p, POINTER(ConnInfo)),
    "destroy": (c_void_p,),
    "lookup": (_REQUEST, _INO, _NAME),
    "forget": (_REQUEST, _INO, c_uint64),
    "getattr": (_REQUEST, _INO, c_void_p),
    "setattr": (_REQUEST, _INO, POINTER(Stat), c_int, c_void_p),
    "readlink": (_REQUEST, _INO),
    "mknod": (_REQUEST, _INO, _NAME, c_uint32, c_uint64),
    "mkdir": (_REQUEST, _INO, _NAME, c_uint32),
    "unlink": (_REQUEST, _INO, _NAME),
    "rmdir": (_REQUEST, _INO, _NAME),
    "symlink": (_REQUEST, _NAME, _INO, _NAME),
    "rename": (_REQUEST, _INO, _NAME, _INO, _NAME, c_uint),
    "link": (_REQUEST, _INO, _INO, _NAME),
    "open": (_REQUEST, _INO, _FILE),
    "read": (_REQUEST, _INO, _SIZE, _OFFSET, c_void_p),
    "write": (_REQUEST, _INO, c_void_p, _SIZE, _OFFSET, _FILE),
    "flush": (),
    "release": (_REQUEST, _INO, _FILE),
    "fsync": (_REQUEST, _INO, c_int, c_void_p),
    "opendir": (_REQUEST, _INO, _FILE),
    "readdir": (_REQUEST, _INO, _SIZE, _OFFSET, _FILE),
    "releasedir": (_REQUEST, _INO, _FILE),
    "fsyncdir": (_REQUEST, _INO, c_int, c_void_p),
    "statfs": (_REQUEST, _INO),
    "setxattr": (_REQUEST, _INO, _NAME, c_void_p, _SIZE, c_int),
    "getxattr": (_REQUEST, _INO, _NAME, _SIZE),
    "listxattr": (_REQUEST, _INO, _SIZE),
    "removexattr": (_REQUEST, _INO, _NAME),
    "access": (),
    "create": (_REQUEST, _INO, _NAME, c_uint32, _FILE),
    "getlk": (),
    "setlk": (),
    "bmap": (),
    "ioctl": (),
    "poll": (),
    "write_buf": (),
    "retrieve_reply": (),
    "forget_multi": (_REQUEST, _SIZE, POINTER(Forget)),
    "flock": (),
    "fallocate": (_REQUEST, _INO, c_int, _OFFSET, _OFFSET, c_void_p),
    "readdirplus": (_REQUEST, _INO, _SIZE, _OFFSET, _FILE),
    "copy_file_range": (),
    "lseek": (),
}


class Operations(Structure):
    """The functions that libfuse calls."""

    _fields_ = tuple((name, CFUNCTYPE(None, *arguments)) for name, arguments in ASKED.items())


def _function(name: str, result: Any, *arguments: Any) -> Any:
    library = _mfusepy._libfuse  # noqa: SLF001  what it has loaded
    try:
        function = getattr(library, name)
    except AttributeError:
        # Newer ones keep what they have replaced, under its first version.
        find = CDLL(None).dlvsym
        find.restype, find.argtypes = c_void_p, [c_void_p, c_char_p, c_char_p]
        address = find(library._handle, name.encode(), b"FUSE_3.0")  # noqa: SLF001  as ctypes calls it
        if not address:
            raise MountError(
                f"libfuse {VERSION[0]}.{VERSION[1]} has no {name}",
                hint="Statehold is tested with libfuse 3.14",
            ) from None
        return CFUNCTYPE(result, *arguments)(address)
    function.restype, function.argtypes = result, arguments
    return function


session_new: Final = _function(
    "fuse_session_new", c_void_p, POINTER(Arguments), POINTER(Operations), c_size_t, c_void_p
)
session_mount: Final = _function("fuse_session_mount", c_int, c_void_p, c_char_p)
session_unmount: Final = _function("fuse_session_unmount", None, c_void_p)
session_destroy: Final = _function("fuse_session_destroy", None, c_void_p)
session_fd: Final = _function("fuse_session_fd", c_int, c_void_p)
receive: Final = _function("fuse_session_receive_buf", c_int, c_void_p, POINTER(Buffer))
process: Final = _function("fuse_session_process_buf", None, c_void_p, POINTER(Buffer))
request_context: Final = _function("fuse_req_ctx", POINTER(Context), c_void_p)
add_entry: Final = _function(
    "fuse_add_direntry", c_size_t, c_void_p, c_void_p, c_size_t, c_char_p, c_void_p, c_int64
)
add_entry_plus: Final = _function(
    "fuse_add_direntry_plus", c_size_t, c_void_p, c_void_p, c_size_t, c_char_p, c_void_p, c_int64
)
reply_error: Final = _function("fuse_reply_err", c_int, c_void_p, c_int)
reply_none: Final = _function("fuse_reply_none", None, c_void_p)
reply_entry: Final = _function("fuse_reply_entry", c_int, c_void_p, c_void_p)
reply_create: Final = _function("fuse_reply_create", c_int, c_void_p, c_void_p, c_void_p)
reply_attributes: Final = _function("fuse_reply_attr", c_int, c_void_p, c_void_p, c_double)
reply_target: Final = _function("fuse_reply_readlink", c_int, c_void_p, c_char_p)
reply_open: Final = _function("fuse_reply_open", c_int, c_void_p, c_void_p)
reply_written: Final = _function("fuse_reply_write", c_int, c_void_p, c_size_t)
reply_bytes: Final = _function("fuse_reply_buf", c_int, c_void_p, c_char_p, c_size_t)
reply_statfs: Final = _function("fuse_reply_statfs", c_int, c_void_p, c_void_p)
reply_size: Final = _function("fuse_reply_xattr", c_int, c_void_p, c_size_t)
