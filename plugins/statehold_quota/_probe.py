from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from statehold_quota._backend import Backend, Group, QuotaError
from statehold_quota._programs import program

#: What the names of trials begin with.
TRIAL: Final = ".probe-"
_PIECE: Final = 64 * 1024
_REFUSALS: Final = {"Disk quota exceeded": "EDQUOT", "No space left on device": "ENOSPC"}
# Numbers that no system gives to its people.
_FIRST_UID: Final = 2_000_000_000


@attrs.frozen(kw_only=True)
class Finding:
    """What a probe found out about a backend on a path.

    Attributes:
        backend: the word for settings.
        title: what people read.
        works: whether the limit was kept; an advisory backend keeps none and works all the same.
        enforced: whether writes over the limit were refused.
        proof: what was written, and how it ended.
        root_too: whether root was refused as well; None where that was not tried.
        reason: why it does not work.

    """

    backend: str
    title: str
    works: bool
    enforced: bool = False
    proof: str = ""
    root_too: bool | None = None
    reason: str = ""


def probe(backend: Backend, root: Path) -> Finding:
    """Let somebody write over a small limit under *root*, in two folders of a group, and see who is refused.

    All that is made is removed again. Nothing is raised: what fails is why the backend does not work.
    """
    try:
        with _trial(backend, root) as trial:
            return trial.run()
    except QuotaError as error:
        reason = f"{error.message} ({error.hint})" if error.hint else error.message
    except subprocess.TimeoutExpired as error:
        reason = f"a write of the trial did not end within {error.timeout:g} s"
    except OSError as error:
        reason = f"{error.filename or root}: {error.strerror}"
    return Finding(backend=backend.name, title=backend.title, works=False, reason=reason)


@contextmanager
def _trial(backend: Backend, root: Path) -> Generator[_Trial]:
    backend.require()
    backend.prepare()
    name = f"{TRIAL}{secrets.token_hex(8)}"
    uid = _FIRST_UID + secrets.randbelow(100_000_000) if os.geteuid() == 0 else os.geteuid()
    group = Group(root / name, uid)
    try:
        yield _Trial(backend, group)
    finally:
        with suppress(QuotaError):
            backend.remove_group(group)


@attrs.frozen
class _Trial:
    backend: Backend
    group: Group

    def run(self) -> Finding:
        backend, limit = self.backend, self.backend.smallest
        if (free := _free(self.group.path.parent)) < 4 * limit:
            raise QuotaError(f"{free:,} bytes are free: too few to tell a limit from a full disk")
        backend.make_group(self.group)
        backend.set_limit(self.group, limit)
        first, second = (self._folder(name) for name in ("a", "b"))
        if not backend.enforced:
            return Finding(
                backend=backend.name,
                title=backend.title,
                works=True,
                proof="folders were made, and their sizes read; nothing would be refused",
            )
        half, refused = _write(first, limit // 2, self.group.uid)
        if refused:
            raise QuotaError(f"a write of {limit // 2:,} bytes was refused, under a limit of {limit:,}")
        more, refused = _write(second, 2 * limit, self.group.uid)
        if not refused:
            raise QuotaError(
                f"{half + more:,} bytes were written over a limit of {limit:,}, nobody refused them"
            )
        if half + more > limit + limit // 4:
            raise QuotaError(
                f"under a limit of {limit:,} bytes, {half + more:,} were written before one was refused"
            )
        root_too = None
        if os.geteuid() == 0:
            root_too = bool(_write(second, 2 * limit, 0, name="root")[1])
        return Finding(
            backend=backend.name,
            title=backend.title,
            works=True,
            enforced=True,
            proof=f"a limit of {limit:,} bytes for two folders: refused with {refused} after {half + more:,}",
            root_too=root_too,
        )

    def _folder(self, name: str) -> Path:
        folder = self.backend.make_folder(self.group, name)
        self.backend.folder_used(self.group, name)
        if os.geteuid() == 0 and self.group.uid is not None:
            os.chown(folder, self.group.uid, self.group.uid)
        return folder


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _write(folder: Path, size: int, uid: int | None, *, name: str = "file") -> tuple[int, str]:
    """Write as a user, and return how many bytes arrived and with which error the rest was refused.

    In a process of its own: only that gives up what root may do, and quotas do not hold for whom has that.
    """
    command = [program("dd"), "if=/dev/zero", f"of={name}", f"bs={_PIECE}", f"count={size // _PIECE}"]
    who = {} if uid is None or os.geteuid() != 0 else {"user": uid, "group": uid, "extra_groups": []}
    done = subprocess.run(  # noqa: S603  no shell, and no word of it from outside
        [*command, "conv=fsync"],
        cwd=folder,
        capture_output=True,
        check=False,
        env={"LC_ALL": "C"},
        text=True,
        timeout=60,
        **who,  # type: ignore[call-overload]
    )
    written = (folder / name).stat().st_size if (folder / name).exists() else 0
    if done.returncode == 0:
        return written, ""
    for text, word in _REFUSALS.items():
        if text in done.stderr:
            return written, word
    raise QuotaError(f"a write failed, but not for a limit: {' '.join(done.stderr.split())}")
