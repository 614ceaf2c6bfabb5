from __future__ import annotations

from enum import StrEnum
from typing import Final

from statehold.loading._outage import OutageError


class Reason(StrEnum):
    """Why a call to a storage in WebAssembly failed."""

    #: It could not be started, or not be opened.
    START = "start"
    #: It trapped, and was replaced: what it held is gone.
    TRAPPED = "trapped"
    #: It computed for too long, and was replaced: what it held is gone.
    DEADLINE = "deadline"
    #: It named memory that it does not have, and was replaced: what it held is gone.
    WILD = "wild"
    #: It has no memory left for what it is asked; it is still the same.
    MEMORY = "memory"
    #: What it answered cannot be read, or is of another type than it says; it is still the same.
    ANSWER = "answer"
    #: Others kept it busy until the deadline.
    BUSY = "busy"


#: How those are said to outsiders that need be no defect: the HTTP status, in words, and when to try again.
_TOLD: Final = {
    Reason.START: (503, "a storage could not be started", 1.0),
    Reason.DEADLINE: (504, "a storage did not answer in time", None),
    Reason.MEMORY: (507, "a storage has no memory left for that", None),
    Reason.BUSY: (503, "a storage has too much to do", 1.0),
}


class WasmError(OutageError):
    """A storage could not answer, because of the module that it is.

    What a module refuses in words of its own is a `StorageError` instead.

    Attributes:
        storage: the qualified name.
        export: the function of the module that was called.
        reason: why.

    """

    def __init__(self, message: str, *, storage: str, export: str, reason: Reason, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.storage = storage
        self.export = export
        self.reason = reason
        self.status, self.public, self.retry_after = _TOLD.get(reason, (500, "", None))


class GuestError(Exception):
    """An instance did what it must not; becomes a WasmError. `is_alive` says whether it can go on."""

    def __init__(self, message: str, *, reason: Reason, hint: str = "", is_alive: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint
        self.is_alive = is_alive
