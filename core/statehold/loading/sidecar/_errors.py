from __future__ import annotations

from enum import StrEnum

from statehold.sdk import StateholdError


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


class SidecarError(StateholdError):
    """A storage could not answer, because of the process that it lives in.

    Attributes:
        reason: why.
        unknown: whether a change may have been made all the same.

    """

    def __init__(self, message: str, *, reason: Reason, unknown: bool = False, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.unknown = unknown
