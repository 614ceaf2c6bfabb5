from __future__ import annotations

from statehold.sdk import StorageError


class AosDatabaseError(StorageError):
    """The database refused or failed; nothing of the transaction has happened."""


class NotExistError(AosDatabaseError):
    """There is no such row: one was asked for, or was to be changed."""


class ExistsError(AosDatabaseError):
    """There is a row of this key already."""


class InUseError(AosDatabaseError):
    """A service is to go that users still have, or users are to have a service that is not there."""


class BusyError(AosDatabaseError):
    """Another process writes for too long."""


class ClosedError(AosDatabaseError):
    """The database was used after it had been closed."""


class AosSchemaError(AosDatabaseError):
    """The database has another schema than this version can work with: newer, dirty, foreign or damaged."""


class UnavailableError(AosDatabaseError):
    """The disk or the server does not answer.

    `unknown` is True where the connection broke while a transaction was being committed: it may have
    happened or not, as a whole.
    """

    def __init__(self, message: str, *, unknown: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.unknown = unknown
