from __future__ import annotations

from statehold.sdk import HostError


class FolderHeldError(HostError):
    """Another host works on the data folder."""


class NotProvidedError(HostError):
    """The host does not have the code of an extension that the app's own `sys` declares as BUILTIN.

    `extension` is its qualified name; `status` is how HTTP says it.
    """

    status = 501

    def __init__(self, message: str, *, extension: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.extension = extension


class NotFoundError(HostError):
    """There is nothing of that name here: no such app, no such version, no such plugin in quarantine."""
