from __future__ import annotations

from statehold.sdk import StateholdError


class MetadataError(StateholdError):
    """Metadata cannot be read or written."""


class MetadataConflictError(MetadataError):
    """Somebody else has written the metadata of this object meanwhile; look at it again."""


class MetadataUnavailableError(MetadataError):
    """Too few backends of the metadata answer, for this read or this write.

    Attributes:
        maybe: whether a write may have happened all the same. One that failed before it began has not.

    """

    def __init__(self, message: str, *, maybe: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.maybe = maybe


class MetadataKeyError(MetadataError):
    """The metadata were encrypted with another key."""
