from __future__ import annotations

from enum import StrEnum
from typing import Final

from statehold.loading._outage import OutageError


class Reason(StrEnum):
    """Why a call to a sidecar failed."""

    #: The process ended while the call was under way.
    CRASHED = "crashed"
    #: There was no answer in time; the process was ended.
    DEADLINE = "deadline"
    #: What came is no answer; the process was ended.
    PROTOCOL = "protocol"
    #: It failed so often that it is left alone for a while.
    BROKEN = "broken"
    #: Every lane was taken until the deadline.
    BUSY = "busy"
    #: It could not be started, or not in time.
    START = "start"


#: How each is said to outsiders: the HTTP status, in words, and when to try again.
_TOLD: Final = {
    Reason.CRASHED: (503, "a storage crashed, and is started again", 1.0),
    Reason.DEADLINE: (504, "a storage did not answer in time", None),
    Reason.BROKEN: (503, "a storage has failed too often, and is left alone for a while", 5.0),
    Reason.BUSY: (503, "a storage has too much to do", 1.0),
    Reason.START: (503, "a storage could not be started", 1.0),
}


class SidecarError(OutageError):
    """A storage could not answer, because of the process that it lives in.

    Attributes:
        reason: why.

    """

    def __init__(self, message: str, *, reason: Reason, unknown: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.unknown = unknown
        self.status, self.public, self.retry_after = _TOLD.get(reason, (500, "", None))
