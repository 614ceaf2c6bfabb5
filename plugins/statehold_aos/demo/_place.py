from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path
from typing import Final

import statehold
from statehold.sdk import StateholdError
from statehold_quota import mounts_under

APP: Final = "aos.fleet"
_NEW_MOUNTS, _PRIVATE, _RECURSIVE = 0x20000, 1 << 18, 1 << 14
_DETACH: Final = 2
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def lay_out(folder: Path) -> None:
    """Copy the sample application and the images of its services into a folder.

    Raises:
        StateholdError: it is not installed, or there is no Python that services can use.

    """
    package = Path(statehold.__file__).parent
    # Installed, the samples lie in the package; in a checkout, beside it.
    found = [each / APP for each in (package / "samples", package.parents[1] / "app_images")]
    sample = next((each for each in found if each.is_dir()), None)
    if sample is None:
        raise StateholdError(f"the sample application {APP} is not installed", hint="Reinstall statehold")
    if shutil.which("python3", path=_PATH) is None:
        raise StateholdError(
            f"the services of the demo need a python3 in {_PATH}, and there is none",
            hint="Install Python there",
        )
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(sample, folder / APP, ignore=ignore)
    shutil.copytree(sample / "services", folder / "images", ignore=ignore)
    (folder / "storages").mkdir()


def unmount(folder: Path) -> None:
    """Unmount what is mounted below a folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    for mount in reversed(mounts_under(folder)):
        libc.umount2(os.fsencode(mount.point), _DETACH)


def own_mounts() -> bool:
    """Give this process mounts of its own, with which all that it mounts goes; False where it may not."""
    if os.geteuid():
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_char_p(None)
    return not (
        libc.unshare(_NEW_MOUNTS) or libc.mount(b"none", b"/", nothing, _PRIVATE | _RECURSIVE, nothing)
    )
