from __future__ import annotations

from statehold.hosting._version import AppVersion, Borrowed


class App:
    """A running app: one current version, and any number of versions beside it."""

    name: str

    @property
    def current(self) -> AppVersion:
        """The version that answers calls, or a HostError where none is current."""
        raise NotImplementedError

    @property
    def versions(self) -> tuple[AppVersion, ...]:
        """The open versions, in the order of their deployment."""
        raise NotImplementedError

    def version(self, name: str) -> AppVersion:
        """Return an open version by its name."""
        raise NotImplementedError

    def borrow(self, partition: int = 0, *, version: str | None = None) -> Borrowed:
        """Return a context manager around a partition of the current version, or of the one named.

        The version stays open until every borrower has left, whatever is deployed meanwhile. Borrowing
        never waits for a deploy.
        """
        raise NotImplementedError
