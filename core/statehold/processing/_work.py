from __future__ import annotations

from typing import Protocol

import attrs
import msgspec

from statehold.events import Event, Reader, Unit
from statehold.hosting import Partition
from statehold.processing._answers import CommandAnswer
from statehold.processing._gate import Gate
from statehold.processing._outbox import Outbox
from statehold.processing._parts import Parts
from statehold.processing._settings import Settings
from statehold.sdk import Clock
from statehold.state import State


@attrs.frozen(kw_only=True, eq=False)
class Bench:
    """What a piece of work is done with: a partition of a version, borrowed for a batch."""

    app: str
    partition: Partition
    parts: Parts
    gate: Gate
    outbox: Outbox
    settings: Settings
    clock: Clock
    reader: Reader

    def now(self) -> int:
        """Return the milliseconds since 1970."""
        return int(self.clock.now() * 1000)


class Done(msgspec.Struct, eq=False):
    """What a piece of work has put into its unit, and what is to be done when that is committed.

    Attributes:
        answer: what is answered then.
        event: the event it appended, if any.
        states: those that have something to do beyond the row store, in order.
        outbox: where in the outbox that stands; None for nowhere.

    """

    answer: CommandAnswer
    event: Event | None = None
    states: list[State] = []
    outbox: int | None = None


class Work(Protocol):
    """Something that is done in one partition, and leaves what it changes in a unit.

    Attributes:
        name: the qualified name of what it is, for messages.

    """

    name: str

    def run(self, bench: Bench, unit: Unit) -> Done:
        """Do it. After an error the unit is dropped, and nothing of it has happened."""

    def failed(self, bench: Bench, unit: Unit, error: Exception) -> Event | None:
        """Put down that it failed, where somebody waits for that, and return the event."""


class Quiet:
    """Work whose failure nobody but the caller waits for."""

    def failed(self, bench: Bench, unit: Unit, error: Exception) -> Event | None:  # noqa: ARG002 - as `Work`
        """Put down nothing."""
        return None
