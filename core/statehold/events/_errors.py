from __future__ import annotations

from statehold.sdk import StorageError


class EventsError(StorageError):
    """Records, views or logs refused what they were asked for; nothing of it has happened."""


class WorkspaceError(EventsError):
    """There is no such workspace, or its kind does not have the entity."""

    def __init__(self, message: str, *, workspace: int, entity: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.workspace = workspace
        self.entity = entity


class RecordError(EventsError):
    """A change of a record is not possible: its id, its place in a document, or the kind of its table."""

    def __init__(self, message: str, *, table: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.table = table


class RecordMissingError(RecordError):
    """There is no record of this id to change."""


class BrokenReferenceError(RecordError):
    """A `ref` points to no record, or to a record of a table that it may not point to."""


class ConflictError(RecordError):
    """The workspace has a record of these unique values already, or of this singleton.

    `record` is its id; `fields` are those of the unique, none for a singleton.
    """

    def __init__(
        self, message: str, *, table: str, record: int, fields: tuple[str, ...] = (), hint: str = ""
    ) -> None:
        super().__init__(message, table=table, hint=hint)
        self.record = record
        self.fields = fields


class LogError(EventsError):
    """The log of a partition does not go on where this unit thought it would, or cannot be read."""
