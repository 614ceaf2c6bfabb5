from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import attrs

from statehold.events import ConflictError as RecordConflictError
from statehold.events import EventsError, RecordError, RecordMissingError, WorkspaceError
from statehold.extensions import CodeError, NoEngineError
from statehold.hosting import NotProvidedError
from statehold.loading import OutageError
from statehold.processing._errors import (
    BusyError,
    ConflictError,
    ExtensionError,
    ProcessingError,
    RequestError,
    StorageOutageError,
    StoreError,
    UnknownError,
)
from statehold.rows import RowStoreError, StoreFullError, StoreUnavailableError
from statehold.sdk import FreedError, HostError, SchemaError, StateholdError
from statehold.state import ExistsError, NotExistsError

#: From this status on it is not the client's fault.
_FAULT: Final = 500
_INTERNAL: Final = "something went wrong inside the host; its log says what"


@attrs.frozen(kw_only=True)
class Failure:
    """An error as HTTP says it: what is safe to tell the caller.

    Attributes:
        status: the HTTP status.
        message: for people.
        qname: what it is about, if it is about one thing.
        data: for programs.
        retry_after: seconds after which to try again, where that may help.

    """

    status: int
    message: str
    qname: str = ""
    data: Mapping[str, Any] = attrs.field(factory=dict)
    retry_after: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {"message": self.message, "status": self.status}
        if self.qname:
            body["qname"] = self.qname
        if self.data:
            body["data"] = dict(self.data)
        return body


def failure(error: BaseException) -> Failure:
    """Return how HTTP says *error*; of one that is nobody's intention, no more than that it happened."""
    if isinstance(error, ProcessingError):
        return Failure(
            status=error.status,
            # What is more than that is for those who run it.
            message=getattr(error, "public", "") or str(error),
            qname=error.qname,
            data=error.data,
            retry_after=getattr(error, "retry_after", None),
        )
    if not isinstance(error, StateholdError):
        return Failure(status=500, message=_INTERNAL)
    if isinstance(error, OutageError):
        return failure(explained(error, ""))
    # Errors of other packages name their status themselves where they mean one.
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return Failure(status=status, message=str(error))
    return failure(explained(error, ""))


class Explaining:
    """Raises what goes wrong inside of the block, met while doing *what*, as an error of a request."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, ProcessingError):
            raise explained(error, self._what) from error


def explained(error: Exception, what: str) -> ProcessingError:
    """Return *error*, met while doing *what* (a qualified name), as an error of a request.

    What an extension or a storage did not intend is an `ExtensionError`, with *error* as its cause.
    """
    if isinstance(error, ProcessingError):
        return error
    found = _explained(error, what)
    found.__cause__ = error
    return found


def is_failure(error: BaseException) -> bool:
    """Return whether *error* is for the version to blame, and not what whoever asked has made of it."""
    if not isinstance(error, Exception):
        return False
    status = getattr(error, "status", None)
    return (status if isinstance(status, int) else explained(error, "").status) >= _FAULT


def _explained(error: Exception, what: str) -> ProcessingError:
    text = str(error)
    if isinstance(error, RowStoreError):
        return store_error(error, what)
    if isinstance(error, NoEngineError):
        return BusyError(text, qname=what)
    if isinstance(error, (RecordConflictError, ExistsError)):
        return ConflictError(text, qname=what)
    if isinstance(error, (RecordMissingError, NotExistsError, WorkspaceError)):
        return UnknownError(text, qname=what)
    if isinstance(error, RecordError):
        return RequestError(text, qname=what)
    if isinstance(error, (HostError, FreedError)):
        status = 501 if isinstance(error, NotProvidedError) else 503
        return _with_status(ProcessingError(text, qname=what), status)
    if isinstance(error, OutageError) and error.public:
        return StorageOutageError(
            text,
            public=f"{what or 'it'} failed: {error.public}",
            status=error.status,
            qname=what,
            unknown=error.unknown,
            retry_after=error.retry_after,
        )
    if isinstance(error, (CodeError, EventsError, StateholdError)):
        return _with_status(ExtensionError(text, qname=what), getattr(error, "status", 500))
    return ExtensionError(f"{what or 'it'} failed: {type(error).__name__}: {text}", qname=what)


def _with_status(error: ProcessingError, status: int) -> ProcessingError:
    error.status = status
    return error


def refused(error: SchemaError, what: str) -> RequestError:
    """Return the error for an argument or a document that does not fit its type."""
    found = RequestError(str(error), qname=what, data={"field": error.field} if error.field else None)
    found.__cause__ = error
    return found


def store_error(error: RowStoreError, what: str = "") -> StoreError:
    """Return the error for requests whose commit the row store refused."""
    unknown = isinstance(error, StoreUnavailableError) and error.unknown
    text = "it may have been stored or not" if unknown else "nothing of it is stored"
    found = StoreError(
        f"the row store failed, {text}: {error}",
        qname=what,
        unknown=unknown,
        hint="Look whether it has happened before you try again" if unknown else "",
    )
    if isinstance(error, StoreFullError):
        found.status = 507
    found.__cause__ = error
    return found
