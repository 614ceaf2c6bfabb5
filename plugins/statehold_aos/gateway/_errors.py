from __future__ import annotations

from statehold.sdk import StorageError


class GatewayError(StorageError):
    """The way to the cloud is not there, or a message cannot go it."""


class MessageError(GatewayError):
    """A message cannot be read, or cannot be written: what is wrong with it, and where."""
