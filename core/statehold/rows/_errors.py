from __future__ import annotations

from statehold.sdk import StorageError


class RowStoreError(StorageError):
    """The row store refused or failed; nothing of the batch or the read has happened."""


class RowKeyError(RowStoreError):
    """A key has a column that no key may have, or is too long."""


class RowValueError(RowStoreError):
    """A value is not bytes or too large, or a time to live is not a positive number of seconds."""


class StoreMissingError(RowStoreError):
    """There is no store of this name."""


class StoreExistsError(RowStoreError):
    """There is a store of this name already."""


class StoreClosedError(RowStoreError):
    """The store, or the driver it came from, has been closed."""


class StoreBusyError(RowStoreError):
    """Something else holds the store for too long: another process that writes, or a store still open."""


class StoreHeldError(RowStoreError):
    """Another one holds the store, or has held it since this one lost it."""


class StoreFullError(RowStoreError):
    """The disk or the quota is full; what was acknowledged is there, and reading goes on."""


class StoreReadOnlyError(RowStoreError):
    """The store may be read and not written: file permissions, a read-only disk or server."""


class StoreDamagedError(RowStoreError):
    """The store is damaged, no row store at all, or of a format this version does not know."""


class StoreUnavailableError(RowStoreError):
    """The disk or the server does not answer.

    `unknown` is True where the connection broke while a batch was being committed: it may have been
    written or not, as a whole.
    """

    def __init__(self, message: str, *, unknown: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.unknown = unknown
