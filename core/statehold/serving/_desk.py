from __future__ import annotations

import logging
from collections.abc import Iterable

import attrs
from starlette.types import Scope

from statehold.hosting import Host
from statehold.processing import ForbiddenError, Request, Runtime
from statehold.serving._limits import Limits
from statehold.serving._pool import Pool
from statehold.serving._tokens import Tokens

#: Who may operate apps and make workspaces.
OPERATORS = frozenset({"sys.System", "sys.ClusterAdmin"})


@attrs.frozen(kw_only=True, eq=False)
class Desk:
    """What all requests need: who runs them, who checks tokens, and threads to wait on."""

    host: Host
    runtime: Runtime
    tokens: Tokens
    limits: Limits
    commands: Pool
    queries: Pool
    log: logging.Logger = attrs.field(factory=lambda: logging.getLogger("statehold.serving"))

    def request(self, scope: Scope, app: str, workspace: int) -> Request:
        """Return who asks, of which app, in which workspace.

        Raises:
            TokenError: the token is refused.

        """
        return self.request_of(scope["headers"], scope["client"], app, workspace)

    def request_of(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        client: tuple[str, int] | None,
        app: str,
        workspace: int,
    ) -> Request:
        """Return who asks, by the headers and the address of the client."""
        principal = None
        origin = b""
        for name, value in headers:
            if name == b"authorization":
                principal = self.tokens.authorize(value, app)
            elif name == b"origin":
                origin = value
        return Request(
            app=app,
            workspace=workspace,
            principal=principal,
            origin=origin.decode("latin-1") if origin else "",
            ip=client[0] if client else "",
        )

    def operator(self, scope: Scope, app: str, *, what: str) -> Request:
        """Return who asks, who must be an operator in every workspace.

        Raises:
            TokenError: the token is refused.
            ForbiddenError: it is none.

        """
        request = self.request(scope, app, 0)
        principal = request.principal
        if principal is None or not principal.roles.get(0, frozenset()) & OPERATORS:
            raise ForbiddenError(
                f"{what} is for operators",
                roles=sorted(OPERATORS),
                hint="Send a token of one: statehold token APP --role sys.ClusterAdmin",
            )
        return request


def header(scope: Scope, wanted: bytes) -> bytes:
    """Return the value of a header, empty where it is missing."""
    return next((value for name, value in scope["headers"] if name == wanted), b"")
