from __future__ import annotations

from collections.abc import Mapping

from statehold.sdk import StateholdError


class ZstorError(StateholdError):
    """Zstor cannot do what it was asked."""


class ObjectNotFoundError(ZstorError):
    """There is no object under this key."""


class ObjectChangedError(ZstorError):
    """The object was replaced or deleted by somebody else meanwhile."""


class DamagedError(ZstorError):
    """Too many shards of an object are lost or damaged to read it.

    Attributes:
        key: the object.
        block: the number of the first block that cannot be read.
        lost: what is wrong with which shard, by its number.

    """

    def __init__(
        self, message: str, *, key: str, block: int, lost: Mapping[int, str], hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.key = key
        self.block = block
        self.lost = dict(lost)


class NotStoredError(ZstorError):
    """A write did not reach the redundancy that it must have to be acknowledged; nothing has changed."""


class MaybeStoredError(NotStoredError):
    """Nobody knows whether a write has happened: its metadata reached too few backends, or others were first.

    Who reads the object gets what was there before or what was to be stored, whole.
    """
