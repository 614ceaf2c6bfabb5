from __future__ import annotations

from typing import TypeAlias

import attrs
import msgspec

from statehold.rows._keys import Columns


class Put(msgspec.Struct, frozen=True):
    """Set the row, whether it is there or not; with *ttl* it is gone after so many seconds."""

    partition: Columns
    clustering: Columns
    value: bytes
    ttl: float | None = None


class Delete(msgspec.Struct, frozen=True):
    """Remove the row if it is there."""

    partition: Columns
    clustering: Columns


class PutIfAbsent(msgspec.Struct, frozen=True):
    """Set the row on the condition that it is not there."""

    partition: Columns
    clustering: Columns
    value: bytes
    ttl: float | None = None


class CompareAndSwap(msgspec.Struct, frozen=True):
    """Set the row on the condition that it is there with the value *expected*.

    Without *ttl* the row stays for ever, even if it had a time to live before.
    """

    partition: Columns
    clustering: Columns
    expected: bytes
    value: bytes
    ttl: float | None = None


class CompareAndDelete(msgspec.Struct, frozen=True):
    """Remove the row on the condition that it is there with the value *expected*."""

    partition: Columns
    clustering: Columns
    expected: bytes


Change: TypeAlias = Put | Delete | PutIfAbsent | CompareAndSwap | CompareAndDelete


@attrs.frozen
class Outcome:
    """Whether a batch was written; if not, `refused` has the places of the conditions that failed.

    Places count from 0. A change whose condition failed is left out when the conditions after it are tried.
    """

    refused: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return not self.refused
