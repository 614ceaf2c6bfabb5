from __future__ import annotations

from enum import Enum
from typing import Protocol, Self

import attrs

from statehold_aos.gateway._amqp_outgoing import Parcel
from statehold_aos.gateway._options import Options


class Fate(Enum):
    """What becomes of a message that was handed out."""

    TAKEN = 1
    #: It comes again.
    LATER = 2
    #: Nobody can take it.
    NEVER = 3
    #: Nobody is there any more: whoever connects next gets it.
    LEFT = 4


class Hears(Protocol):
    """What a session tells, on its thread."""

    def ready(self) -> None:
        """Hear that messages go both ways."""

    def blocked(self, reason: str) -> None:
        """Hear that the broker takes no messages at the moment; what is to go waits."""

    def unblocked(self) -> None:
        """Hear that it takes them again."""

    def refused(self, parcel: Parcel, why: str) -> None:
        """Hear that no queue has taken a message."""

    def delivered(self, correlation: str, body: bytes) -> Fate:
        """Take a message, or say what else becomes of it."""


@attrs.frozen(kw_only=True)
class AmqpTerms:
    """How messages are carried, and how many may wait.

    Attributes:
        heartbeat: seconds; a broker that is silent for twice as long is gone.
        prefetch: messages that are handed out and not yet taken, at most.
        window: messages that are sent and not yet confirmed, at most.
        patience: seconds until a connection has to stand.
        parting: seconds that the broker has to confirm what is sent, when the connection is to end.
        messages: how many may wait for the broker, besides those,
        size: and bytes of them.
        first: seconds until a lost connection is tried again, then twice as long, and so on; each time by
            chance up to half as much less, so that not all units come at once.
        longest: up to so many.

    """

    heartbeat: int = 10
    prefetch: int = 64
    window: int = 256
    patience: float = 30.0
    parting: float = 3.0
    messages: int = 4_096
    size: int = 64 * 2**20
    first: float = 0.2
    longest: float = 60.0

    def pause(self, failed: int, chance: float) -> float:
        """Return the seconds until the next attempt, after so many that failed; *chance* is from 0 to 1."""
        return min(self.longest, self.first * 2.0 ** min(failed, 30)) * (1 - chance / 2)

    @classmethod
    def of(cls, options: Options) -> Self:
        """Return what the options of any way to the cloud say about it."""
        # A broker is looked at after each heartbeat, and gone if two are missing.
        return cls(heartbeat=max(1, round(options.alive / 2)), first=options.first, longest=options.longest)
