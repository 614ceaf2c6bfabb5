from __future__ import annotations

from statehold.sdk import Scope, StateholdError


class CodeError(StateholdError):
    """The code of an extension failed: it raised, trapped, returned what it may not, or ran too long.

    A request that it fails is answered with `statehold.processing.ExtensionError`, whose cause it is.

    Attributes:
        extension: its qualified name.
        place: where in the image, as `path:line`; empty where that is not known.

    """

    def __init__(self, message: str, *, extension: str, place: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.extension = extension
        self.place = place


class NoEngineError(StateholdError):
    """Every engine of a kind was busy for as long as a call waits for one; it may be tried again.

    A request that has none is answered with `statehold.processing.BusyError`.

    Attributes:
        partition: the partition's number.
        kind: whose engines.

    """

    def __init__(self, message: str, *, partition: int, kind: Scope, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.partition = partition
        self.kind = kind
