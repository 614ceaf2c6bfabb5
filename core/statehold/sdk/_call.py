from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from statehold.sdk._rows import Value
from statehold_vsql import Scope


@attrs.frozen(kw_only=True)
class Principal:
    """Who makes a request, as the token says it.

    Attributes:
        name: the login of a user, or the name of a device.
        kind: 1 for a user, 2 for a device; 0 for nobody, a request without a token.
        profile: the workspace that is the user's own; 0 for none.
        roles: the qualified names of roles by workspace; those under workspace 0 hold in every one.
        token: the token itself; never shown.

    """

    name: str = ""
    kind: int = 0
    profile: int = 0
    roles: Mapping[int, frozenset[str]] = attrs.field(factory=dict)
    token: str = attrs.field(default="", repr=False)


class CallContext(msgspec.Struct, frozen=True, kw_only=True):
    """The call a storage is used in, for storages that ask for it.

    What the kind of call does not have is None, or empty.

    Attributes:
        scope: COMMANDS, QUERIES, PROJECTORS or JOBS.
        workspace: the workspace of the call.
        extension: the qualified name of the extension that runs.
        unit: what the call reads through and writes into, to be committed in one step
            (`statehold.events.Unit`).
        argument: the argument of a command or query, a `Value` of its type, or a mapping for any type.
        unlogged: the argument of a command that is not to be logged; never shown.
        offset: the offset in the workspace's log that a command is going to have, or that the event of a
            projector has.
        origin: where a request comes from.
        event: the event that a projector is called for (`statehold.events.Event`).
        principal: who makes the request.
        result: takes what a command or query returns, once for each INSERT into Result.
        response: takes status and message for the answer.
        time: when the call is, in seconds since 1970, by the clock of the host: of a command or query when
            it began, of a projector when its event was registered, of a job when it was due.

    """

    scope: Scope
    workspace: int
    extension: str
    unit: Any = None
    argument: Any = None
    unlogged: Any = None
    offset: int | None = None
    origin: str = ""
    event: Any = None
    principal: Principal | None = None
    result: Callable[[Value], None] | None = None
    response: Callable[[int, str], None] | None = None
    time: float = 0.0

    def __repr__(self) -> str:
        """Show what there is, but for `unlogged`."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__ if name != "unlogged")
        given = ", ".join(f"{name}={value!r}" for name, value in fields if value not in (None, "", 0.0))
        return f"CallContext({given})"
