from __future__ import annotations

import os
from ctypes.util import find_library
from importlib import import_module
from typing import Any

from statehold_qsfs.mount._errors import MountError

_PATH = "FUSE_LIBRARY_PATH"


def load() -> Any:
    """Return mfusepy with libfuse 3; MountError if one of the two is not there."""
    before = os.environ.get(_PATH)
    # It takes libfuse 2 where it finds one, unless it is told.
    os.environ[_PATH] = before or find_library("fuse3") or "libfuse3.so.3"
    try:
        mfusepy = import_module("mfusepy")
    except ImportError as error:
        raise MountError(
            f"mounting needs mfusepy, which cannot be imported: {error}",
            hint="pip install 'statehold[qsfs]'",
        ) from error
    except (OSError, AttributeError) as error:
        raise MountError(
            f"mounting needs libfuse 3, which cannot be loaded: {error}",
            hint="On Debian: apt-get install libfuse3-3 fuse3",
        ) from error
    finally:
        if before is None:
            del os.environ[_PATH]
    if mfusepy.fuse_version_major != 3:
        raise MountError(
            f"mounting needs libfuse 3, and {os.environ.get(_PATH, 'another one')} is libfuse "
            f"{mfusepy.fuse_version_major}.{mfusepy.fuse_version_minor}",
            hint=f"Unset {_PATH}, or set it to libfuse3.so.3",
        )
    return mfusepy
