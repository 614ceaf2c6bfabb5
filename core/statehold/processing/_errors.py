from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from statehold.sdk import StateholdError


class ProcessingError(StateholdError):
    """A request was refused or failed; `status` is the HTTP status that says so.

    Attributes:
        status: the HTTP status.
        qname: the qualified name of what the request was about, where it is known.
        data: more for programs, such as the roles that would permit it.

    """

    status: int = 500

    def __init__(
        self, message: str, *, qname: str = "", data: Mapping[str, Any] | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.qname = qname
        self.data = dict(data or {})


class RequestError(ProcessingError):
    """What was sent does not fit: an argument, a constraint, a document."""

    status = 400


class ForbiddenError(ProcessingError):
    """No role of the principal in this workspace permits it; `roles` are those that would."""

    status = 403

    def __init__(
        self,
        message: str,
        *,
        qname: str = "",
        roles: Sequence[str] = (),
        fields: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        data: dict[str, Any] = {"roles": list(roles)}
        if fields:
            data["fields"] = list(fields)
        super().__init__(message, qname=qname, data=data, hint=hint)
        self.roles = tuple(roles)
        self.fields = tuple(fields)


class UnknownError(ProcessingError):
    """There is no such app, workspace, command, query, view, table or record."""

    status = 404


class NotAllowedError(ProcessingError):
    """Things of this kind cannot be used this way, whoever asks."""

    status = 405


class ConflictError(ProcessingError):
    """The state of the workspace does not permit it, such as a unique value that is taken."""

    status = 409


class LimitExceededError(ProcessingError):
    """A LIMIT is used up; after `retry_after` seconds there is room for one more."""

    status = 429

    def __init__(self, message: str, *, limit: str, retry_after: float, qname: str = "") -> None:
        super().__init__(
            message, qname=qname, data={"limit": limit}, hint=f"Try again in {retry_after:.3g} s"
        )
        self.limit = limit
        self.retry_after = retry_after


class ResponseError(ProcessingError):
    """An extension asked for another status than 200 by an INSERT into Response."""

    def __init__(self, message: str, *, status: int, qname: str = "") -> None:
        super().__init__(message, qname=qname)
        self.status = status


class ExtensionError(ProcessingError):
    """An extension raised; its error is the cause."""


class StorageOutageError(ExtensionError):
    """A storage could not answer, because of the process or the module that it lives in; that is the cause.

    With `unknown` a change may have been made all the same. `public` is what a caller is told.
    """

    def __init__(
        self,
        message: str,
        *,
        public: str,
        status: int,
        qname: str = "",
        unknown: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, qname=qname, data={"unknown": True} if unknown else None)
        self.public = public
        self.status = status
        self.unknown = unknown
        self.retry_after = retry_after


class StoreError(ProcessingError):
    """The row store refused the commit; nothing of the batch has happened.

    With `unknown` the connection broke while it was committed, and it may have happened after all.
    """

    status = 503
    retry_after: ClassVar[float] = 1.0

    def __init__(self, message: str, *, qname: str = "", unknown: bool = False, hint: str = "") -> None:
        super().__init__(message, qname=qname, data={"unknown": True} if unknown else None, hint=hint)
        self.unknown = unknown


class BusyError(ProcessingError):
    """The partition did not come to the request within its time.

    With `unknown` it had begun, and may still be carried out; without, it has not happened and will not.
    """

    status = 503
    retry_after: ClassVar[float] = 1.0

    def __init__(self, message: str, *, qname: str = "", unknown: bool = False, hint: str = "") -> None:
        super().__init__(message, qname=qname, data={"unknown": True} if unknown else None, hint=hint)
        self.unknown = unknown


class TooSlowError(ProcessingError):
    """A query took longer than its time."""

    status = 504


class ClosedError(ProcessingError):
    """The runtime has been closed, or is not started."""

    status = 503
