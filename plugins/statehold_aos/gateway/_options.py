from __future__ import annotations

import logging
from pathlib import Path

import attrs

from statehold.sdk import Secret
from statehold_aos.gateway._wire import LARGEST


def default_logger() -> logging.Logger:
    """Return who hears of what goes wrong where nobody else is named."""
    return logging.getLogger("statehold.aos")


@attrs.frozen(kw_only=True)
class Options:
    """What a way to the cloud has to know besides its URL.

    Attributes:
        system: the unit, as the cloud knows it.
        workspace: that of messages which name none.
        users: the claim of messages which name none, as those of protocol 2 in AOS.
        largest: bytes of a message.
        authorities: a file with the certificates that the cloud's one is to come from; None: those of the
            system.
        certificate: a file with the unit's own certificate, and those between it and its authority.
        key: its key in PEM; None: it is in the same file.
        user: who connects, where the cloud wants a name.
        password: and a password.
        alive: seconds without a sign of life of the other side, after which it is asked for one, and then
            once more until the connection counts as lost.
        first: seconds until a lost connection is tried again, then twice as long, and so on; each time by
            chance up to as much less, so that not all units come at once.
        longest: up to so many.
        logger: hears of connections that fail, and of messages that cannot be read.

    """

    system: str
    workspace: int = 1
    users: str = ""
    largest: int = LARGEST
    authorities: Path | None = None
    certificate: Path | None = None
    key: Secret | None = None
    user: str = ""
    password: Secret | None = None
    alive: float = 20.0
    first: float = 0.2
    longest: float = 60.0
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger] = attrs.field(factory=default_logger)
