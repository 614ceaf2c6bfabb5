from __future__ import annotations

import logging
from collections.abc import Callable

import attrs
from sqlalchemy import Connection

from statehold_aos.database.migrations._state import State


@attrs.frozen(kw_only=True)
class Options:
    """What a migration cannot know by itself.

    Attributes:
        workspace: the workspace that rows of a Service Manager go to.
        logger: hears what could not be taken over as it was.

    """

    workspace: int = 1
    logger: logging.Logger = attrs.field(factory=lambda: logging.getLogger("statehold.aos"))


@attrs.frozen
class Step:
    """One migration, forward and back; each returns what is to be noted."""

    up: Callable[[Connection, State, Options], State]
    down: Callable[[Connection, State, Options], State]


@attrs.frozen
class Done:
    """A migration that has happened.

    Attributes:
        before: the schema's version before it; 0 for a new database.
        after: the version after it.
        backup: where the database is as it was before; empty for a new one.

    """

    before: int
    after: int
    backup: str = ""
