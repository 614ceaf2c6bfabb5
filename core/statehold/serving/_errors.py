from __future__ import annotations

from collections.abc import Mapping

from statehold.processing import ProcessingError


class HttpError(ProcessingError):
    """A request cannot be read, or not be taken on; nothing of it has happened.

    Attributes:
        status: the HTTP status that says so.
        headers: what the answer's head says beside it.

    """

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.headers = dict(headers or {})


class TokenError(ProcessingError):
    """A token is refused: who sent it is not known to be who it says."""

    status = 401
