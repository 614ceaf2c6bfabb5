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


def stopping() -> HttpError:
    """Return the error for a request that the server can no longer wait for."""
    return HttpError(
        503,
        "the server stops, and the answer has taken too long",
        headers={"Connection": "close", "Retry-After": "1"},
        hint="What was begun may still have been carried out",
    )


class TokenError(ProcessingError):
    """A token is refused: who sent it is not known to be who it says."""

    status = 401
