from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

if TYPE_CHECKING:
    from statehold.hosting import Host


@attrs.frozen(kw_only=True)
class Session:
    """What a program gives the commands it runs: an open host to use, and how wide texts may be."""

    host: Host | None = None
    width: int | None = None


def session() -> Session:
    """Return the session of the command that runs; an empty one for a command from a shell."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Session) if context else None
    return found or Session()
