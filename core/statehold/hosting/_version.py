from __future__ import annotations

from types import TracebackType

from statehold.hosting._partition import Partition
from statehold.hosting._status import FreeReport, VersionState


class Borrowed:
    """Keeps a version open while its `with` block runs, and hands out one of its partitions."""

    def __enter__(self) -> Partition:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError


class AppVersion:
    """One version of an app, with every storage of every partition open until it is freed.

    Attributes:
        app: `owner.app`.
        name: the version's name.
        digest: the image's SHA-256.
        partitions: its partitions, by number.
        warnings: what the deploy found that did not stop it.

    """

    app: str
    name: str
    digest: str
    partitions: tuple[Partition, ...]
    warnings: tuple[str, ...]

    @property
    def state(self) -> VersionState:
        """Where the version stands."""
        raise NotImplementedError

    def wait_freed(self, timeout: float | None = None) -> FreeReport:
        """Wait until the version has been freed and return the report; HostError after *timeout* seconds."""
        raise NotImplementedError
