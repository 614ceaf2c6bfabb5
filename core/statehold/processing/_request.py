from __future__ import annotations

from typing import Final

import msgspec

from statehold.sdk import Principal

#: Whoever may do everything: the host itself, an operator at the command line.
SYSTEM: Final = Principal(name="system", roles={0: frozenset({"sys.System"})})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, of which app, in which workspace.

    Attributes:
        app: `owner.app`.
        workspace: the workspace's id.
        principal: who asks; None for nobody, a request without a token.
        origin: where the request comes from, for CommandContext.
        ip: the address of the caller, for limits PER IP.
        timeout: seconds the caller waits; None for the default of the runtime.

    """

    app: str
    workspace: int
    principal: Principal | None = None
    origin: str = ""
    ip: str = ""
    timeout: float | None = None
