from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import attrs

from statehold.sdk import StorageError


class QuotaError(StorageError):
    """A limit cannot be set, read or kept on this path; the message says why."""


class QuotaFullError(QuotaError):
    """A limit below what the group holds already, where the backend cannot make it smaller."""


@attrs.frozen
class Group:
    """A folder whose folders share one limit.

    Attributes:
        path: the folder; the limited ones lie directly in it.
        uid: who writes into them; only user quotas need to know.

    """

    path: Path
    uid: int | None = None


@attrs.frozen
class Fitted:
    """The limit that a backend can honestly keep, in bytes, and what to tell where it is another one."""

    limit: int
    message: str = ""


class _Rooted(Protocol):
    @property
    def title(self) -> str: ...

    @property
    def root(self) -> Path: ...


class Backend(Protocol):
    """One way of keeping groups below their limits.

    Everything that makes or sets may be repeated: what is there already is left as it is. All of it may
    raise `QuotaError`. Sizes are bytes.
    """

    @property
    def name(self) -> str:
        """The word for settings: `btrfs-simple`."""

    @property
    def title(self) -> str:
        """What people read; it says "advisory" where nothing is enforced."""

    @property
    def enforced(self) -> bool:
        """Whether writes over the limit are refused."""

    @property
    def smallest(self) -> int:
        """The smallest limit that can be kept honestly."""

    @property
    def step(self) -> int:
        """What limits are multiples of."""

    def require(self) -> None:
        """Raise QuotaError where this cannot work on the path; changes nothing."""

    def prepare(self) -> None:
        """Switch on what the file system needs, as far as that is allowed."""

    def fault(self) -> str:
        """Return what keeps all limits from being kept at the moment, "" for nothing."""

    def make_group(self, group: Group) -> None:
        """Make the folder of a group, or bring back what a restart took from it."""

    def make_folder(self, group: Group, name: str) -> Path:
        """Make a folder that counts for the group."""

    def hold(self, group: Group) -> None:
        """Count again what its users may have taken out of the count; asked for from time to time."""

    def set_limit(self, group: Group, limit: int) -> None:
        """Limit the group; returns after the limit was read back from where it is kept."""

    def limit(self, group: Group) -> int | None:
        """Return the limit that is kept at the moment, None for none."""

    def keeps(self, group: Group, limit: int) -> bool:
        """Whether *limit* is what is kept at the moment, as near as this backend gets to a limit."""

    def used(self, group: Group) -> int:
        """Return what counts for the group."""

    def folder_used(self, group: Group, name: str) -> int:
        """Return what one folder holds."""

    def remove_folder(self, group: Group, name: str) -> None:
        """Remove a folder with all it holds; what it took is free again for the others of the group."""

    def remove_group(self, group: Group) -> None:
        """Remove the group, with its folders and its limit."""


def fit(backend: Backend, limit: int) -> Fitted:
    """Return *limit* as *backend* can keep it: rounded up, with a message where that made it larger."""
    fitted = max(limit, backend.smallest)
    fitted += -fitted % backend.step
    if fitted == limit:
        return Fitted(limit)
    least = f"at least {backend.smallest:,}, in steps of {backend.step:,}"
    return Fitted(fitted, f"{limit:,} bytes asked for, {fitted:,} kept: {backend.title} keeps {least}")


@contextmanager
def told(backend: _Rooted, what: str) -> Generator[None]:
    """Say which backend could not do what, and where."""
    try:
        yield
    except OSError as error:
        raise QuotaError(f"{backend.title}: cannot {what} under {backend.root}: {error.strerror}") from error
