from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import attrs

from statehold_quota import (
    Accounting,
    Backend,
    Btrfs,
    Fitted,
    Group,
    LoopImage,
    QuotaError,
    QuotaFullError,
    fit,
)
from statehold_zos.disks import PoolRecord
from statehold_zos.model import DiskType, RefusedError, ZosError, size_text

_DATA: Final = "data"
_OURS: Final = re.compile(r"((?:space|server)-[0-9a-f]{16})(?:\.img|\.new)?", re.ASCII)


class Ground(Protocol):
    """What pools stand on: `disks.DiskModule`."""

    def record(self, pool_id: str) -> PoolRecord:
        """Return what is kept about a pool. Raises NotFoundError."""
        ...

    def backend(self, pool_id: str) -> Backend:
        """Return how limits are kept on a pool; ZosError where it is not mounted."""
        ...


@attrs.frozen(kw_only=True)
class Site:
    """A pool that is mounted, and the folders of ours in it: each has a limit before it is there.

    A folder lies in one of its claim's name, as `data`. All methods raise ZosError.

    Attributes:
        pool: its id.
        type: of its disks.
        root: where the folders lie.
        backend: how limits are kept.
        overhead: by which a limit is larger than the file that just fits.

    """

    pool: str
    type: DiskType
    root: Path
    backend: Backend
    overhead: int

    @classmethod
    def open(cls, ground: Ground, pool: str) -> Site:
        """Return the site of a pool; ZosError where it is not mounted."""
        record, backend = ground.record(pool), ground.backend(pool)
        root = record.spaces
        with _told(pool, "be used"):
            root.mkdir(mode=0o711, exist_ok=True)
            overhead = backend.overhead if isinstance(backend, Btrfs | LoopImage) else 0
        return cls(pool=pool, type=record.type, root=root, backend=backend, overhead=overhead)

    @property
    def there(self) -> bool:
        """Whether it is still mounted."""
        return self.root.is_dir()

    @property
    def advisory(self) -> bool:
        """Whether limits are only counted."""
        return isinstance(self.backend, Accounting)

    @property
    def in_images(self) -> bool:
        """Whether each folder lies in an image, which takes more of the pool than the folder holds."""
        return isinstance(self.backend, LoopImage)

    def fitted(self, size: int) -> Fitted:
        """Return *size* as it can be kept here."""
        return fit(self.backend, size)

    def room(self, size: int) -> int:
        """Return the bytes of the pool that a folder of *size* takes at most."""
        limit = self.fitted(size).limit
        return self.backend.most(limit + self.overhead) if isinstance(self.backend, LoopImage) else limit

    def taken(self, claim: str, size: int) -> int:
        """Return the bytes of the pool that a folder of *size*, which is there, does take."""
        if isinstance(self.backend, LoopImage):
            with _told(self.pool, f"tell the size of {claim}"):
                return self.backend.taken(self._group(claim))
        return self.room(size)

    def path(self, claim: str) -> Path:
        """Return where the folder of a claim is, or would be."""
        return _path(self.root, claim)

    def has(self, claim: str) -> bool:
        """Whether the folder of a claim is there; an image that is not mounted is."""
        with _told(self.pool, f"look for {claim}"):
            if isinstance(self.backend, LoopImage):
                return self.backend.exists(self._group(claim))
            return self.path(claim).is_dir()

    def make(self, claim: str, size: int) -> Path:
        """Make the folder of a claim, over what may be there of it; its limit is there first."""
        group = self._group(claim)
        with _told(self.pool, f"hold {claim}"):
            if isinstance(self.backend, Btrfs):
                return self.backend.make_limited(group, _DATA, self._limit(size))
            self.backend.make_group(group)
            self.backend.set_limit(group, self._limit(size))
            return self.backend.make_folder(group, _DATA)

    def keeps(self, claim: str, size: int) -> bool:
        """Whether the limit of a folder that is there is kept, with all that users made in it."""
        group = self._group(claim)
        with _told(self.pool, f"tell the limit of {claim}"):
            self.backend.hold(group)
            return self.backend.keeps(group, self._limit(size))

    def kept(self, claim: str) -> int | None:
        """Return the size to which a folder that is there is limited now, None for not at all."""
        with _told(self.pool, f"tell the limit of {claim}"):
            limit = self.backend.limit(self._group(claim))
            return None if limit is None else limit - self.overhead

    def restore(self, claim: str, size: int) -> bool:
        """Keep the limit of a folder that is there; return whether it was not kept."""
        group = self._group(claim)
        with _told(self.pool, f"limit {claim}"):
            if self.backend.keeps(group, self._limit(size)):
                return False
            self.backend.make_group(group)
            self.backend.set_limit(group, self._limit(size))
            return True

    def grow(self, claim: str, size: int) -> None:
        """Raise the limit of a folder that is there."""
        with _told(self.pool, f"limit {claim}"):
            self.backend.set_limit(self._group(claim), self._limit(size))

    def shrink(self, claim: str, size: int, *, before: int) -> None:
        """Lower the limit of a folder, unless it holds more: RefusedError, and the limit is as before."""
        group, size = self._group(claim), self.fitted(size).limit
        with _told(self.pool, f"limit {claim}"):
            self.backend.set_limit(group, self._limit(size))
        # Only now: what is written from here on is within the new limit.
        used = self.used(claim, exact=True)
        if used > size:
            self.grow(claim, before)
            raise RefusedError(
                f"{claim} holds {used:,} bytes, and cannot be made smaller than that, to {size:,}",
                hint="Remove files first",
            )

    def used(self, claim: str, *, exact: bool = False) -> int:
        """Return what a folder holds; on btrfs as of the last commit, which *exact* makes now."""
        group = self._group(claim)
        with _told(self.pool, f"tell the size of {claim}"):
            if not isinstance(self.backend, Btrfs):
                return self.backend.used(group)
            if exact:
                self.backend.commit()
            return max(0, self.backend.used(group) - self.overhead // 2)

    def is_empty(self, claim: str) -> bool:
        """Whether nobody has put anything into a folder, or there is none yet."""
        with _told(self.pool, f"look into {claim}"):
            if isinstance(self.backend, LoopImage) and self.has(claim):
                self.backend.make_group(self._group(claim))  # it may not be mounted
            try:
                return next(self.path(claim).iterdir(), None) is None
            except FileNotFoundError:
                return True

    def remove(self, claim: str) -> None:
        """Remove the folder of a claim with all in it, its limit, and what was half made of it."""
        with _told(self.pool, f"remove {claim}"):
            self.backend.remove_group(self._group(claim))

    def claims(self) -> list[str]:
        """Return the claims whose folders, or parts of them, are there."""
        with _told(self.pool, "be listed"):
            found = (_OURS.fullmatch(entry.name) for entry in self.root.iterdir())
            return sorted({match[1] for match in found if match})

    def remove_strays(self) -> list[str]:
        """Remove quota groups of ours that lost their folder, and return their numbers."""
        with _told(self.pool, "be cleaned"):
            return self.backend.remove_strays() if isinstance(self.backend, Btrfs) else []

    @property
    def sound(self) -> bool:
        """Whether limits are kept at all here at the moment."""
        with _told(self.pool, "tell how limits are kept"):
            return not self.backend.fault()

    def mend(self) -> str:
        """Switch limits on again where somebody switched them off; return what was wrong, "" for nothing."""
        with _told(self.pool, "keep limits"):
            if fault := self.backend.fault():
                self.backend.prepare()
            return fault

    def words(self, size: int) -> str:
        """Return how a limit is kept, in words, and what it is where that is not what was asked for."""
        fitted = self.fitted(size)
        if not fitted.message:
            return self.backend.title
        return f"{self.backend.title}, {size_text(fitted.limit)} at least"

    def _limit(self, size: int) -> int:
        return self.fitted(size).limit + self.overhead

    def _group(self, claim: str) -> Group:
        return Group(self.root / claim)


def folder_of(record: PoolRecord, claim: str) -> Path:
    """Return where the folder of a claim is while the pool is mounted."""
    return _path(record.spaces, claim)


def _path(root: Path, claim: str) -> Path:
    return root / claim / _DATA


@contextmanager
def _told(pool: str, what: str) -> Generator[None]:
    try:
        yield
    except QuotaFullError as error:
        raise RefusedError(f"pool {pool} cannot {what}: {error.message}", hint=error.hint) from error
    except QuotaError as error:
        raise ZosError(f"pool {pool} cannot {what}: {error.message}", hint=error.hint) from error
    except OSError as error:
        raise ZosError(f"pool {pool} cannot {what}: {error.filename}: {error.strerror}") from error
