from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from statehold.sdk import StateholdError
from statehold_qsfs.mount import KIND, claim_of, opened, table

if TYPE_CHECKING:
    from statehold_qsfs.files import FileSystem
    from statehold_qsfs.stack import StackConfig

_DEVICE: Final = Path("/dev/fuse")
_CONFIGURATION: Final = Path("/etc/fuse.conf")


@attrs.frozen
class Check:
    """What was looked at, what was found, and how to mend it if it is not good."""

    what: str
    good: bool
    found: str
    mend: str = ""


def machine() -> list[Check]:
    """Look for what keeps this machine from mounting."""
    return [_device(), _library(), _rights(), *_mounts()]


def store_checks(place: Path, *, deep: bool, repair: bool) -> list[Check]:
    """Look for what is wrong with a store, or with what a configuration describes; nobody may serve it."""
    from statehold_qsfs.stack import StackConfig  # noqa: PLC0415  a machine is looked at without it

    try:
        config = StackConfig.read(place) if place.is_file() else None
    except StateholdError as error:
        return [_bad("store", error.message, error.hint or "")]
    store = place if config is None else config.local.folder.resolve()
    claim = claim_of(store)
    if claim is not None and claim.alive:
        where = f"mounted at {claim.point}"
        return [_bad("store", where, f"To look at it: statehold qsfs umount {claim.point}")]
    if not (store / "data").is_dir():
        mounting, serving = f"`statehold qsfs mount {store} POINT`", f"`statehold qsfs restore {place}`"
        made = f"{mounting} makes one" if config is None else f"{serving} brings it back, if there was one"
        return [_bad("store", f"there is none in {store}", made)]
    try:
        with opened(store) if config is None else _started(config) as files:
            report = files.check(deep=deep, repair=repair)
    except (StateholdError, OSError) as error:
        return [_bad("store", str(error), getattr(error, "hint", "") or "")]
    counts = f"{report.files:,} files, {report.directories:,} directories, {report.bytes:,} bytes"
    mended = f"; {report.repaired:,} mended" if report.repaired else ""
    problems = "; ".join(report.problems) or "nothing is wrong"
    mend = "" if repair else f"statehold qsfs doctor --repair {place}"
    return [Check("store", report.sound, f"{counts}: {problems}{mended}", mend)]


@contextmanager
def _started(config: StackConfig) -> Iterator[FileSystem]:
    from statehold_qsfs.stack import Stack  # noqa: PLC0415  loads zstor

    stack, at_once = Stack(config), threading.Event()
    at_once.set()  # what is not sent yet is after the next start: nobody waits for backends to be told
    try:
        yield stack.files
    finally:
        stack.stop(give_up=at_once)


def _device() -> Check:
    what = "kernel"
    if not _DEVICE.exists():
        return _bad(what, f"there is no {_DEVICE}", "modprobe fuse")
    try:
        os.close(os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if shutil.which("fusermount3") is None:
            mend = f"Be root, or have fusermount3, or have the right to read and write {_DEVICE}"
            return _bad(what, f"{_DEVICE}: {error.strerror}", mend)
    return _good(what, f"has {_DEVICE}")


def _library() -> Check:
    from statehold_qsfs.mount import MountError  # noqa: PLC0415

    what = "libfuse 3"
    try:
        from statehold_qsfs.mount._lowlevel import VERSION  # noqa: PLC0415  it is what is looked for
    except MountError as error:
        return _bad(what, error.message, error.hint or "")
    return _good(what, f"is version {VERSION[0]}.{VERSION[1]}")


def _rights() -> Check:
    what = "rights"
    if os.geteuid() == 0:
        return _good(what, "root mounts, and every user sees the files that their modes let them")
    program = shutil.which("fusermount3")
    if program is None:
        return _bad(what, "only root mounts without fusermount3", "apt-get install fuse3")
    if not os.stat(program).st_mode & 0o4000:  # noqa: PTH116
        return _bad(what, f"{program} may not mount for others", f"chmod u+s {program}")
    return _good(what, "fusermount3 mounts, and only this user sees the files")


def _mounts() -> list[Check]:
    dead = [each for each in table() if each.kind == KIND and each.dead]
    return [
        _bad("mounts", f"{each.point}: its process is gone", f"statehold qsfs umount {each.point}")
        for each in dead
    ] or [_good("mounts", "none is dead")]


def _good(what: str, found: str) -> Check:
    return Check(what, True, found)  # noqa: FBT003


def _bad(what: str, found: str, mend: str) -> Check:
    return Check(what, False, found, mend)  # noqa: FBT003
