from __future__ import annotations

from statehold.sdk import StateholdError


class ZdbError(StateholdError):
    """An engine refused or failed."""


class ZdbReadOnlyError(ZdbError):
    """The namespace is locked, or its engine reads only."""


class ZdbFrozenError(ZdbError):
    """The namespace is frozen: neither read nor written until it is let go."""


class ZdbWormError(ZdbError):
    """The namespace is write once, read many: what stands there is neither changed nor deleted."""


class ZdbKeyError(ZdbError):
    """A key that the namespace's mode does not take."""


class ZdbTooLargeError(ZdbError):
    """A payload or a key is longer than 0-db takes."""


class ZdbFullError(ZdbError):
    """The namespace has as many bytes as its `maxsize` lets it have."""


class ZdbWriteError(ZdbError):
    """The operating system refused a write or a sync; what was to be written is not there."""


class ZdbReadError(ZdbError):
    """What is on disk cannot be read, or is not what was written."""


class ZdbMissingError(ZdbReadError):
    """The segment that a record stands in is not on this disk.

    Attributes:
        segment: the number of its file.

    """

    def __init__(self, message: str, *, segment: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.segment = segment


class ZdbNameError(ZdbError):
    """A namespace of that name cannot be made, or there is none."""


class ZdbCursorError(ZdbError):
    """A cursor that no scan, or no history, of this namespace has given."""


class ZdbHeldError(ZdbError):
    """Another process, or another engine of this one, has the folder open."""
