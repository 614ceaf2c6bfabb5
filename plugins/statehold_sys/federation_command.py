"""Storage `FederationCommand`: GET executes a command of this application or another one."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, IStateStorage, Operation, Provider, Scope, StorageContext
from statehold_sys._federation._config import FederationConfig


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_sys._federation._command import FederationCommand  # noqa: PLC0415 - brings sockets and TLS

    return FederationCommand.open(ctx)


provider: Final = Provider(
    name="FederationCommand",
    open=_open,
    operations={Operation.GET: frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS})},
    key=[
        Field("Command", "qname", required=True),
        Field("Body", "text"),
        Field("Owner", "text"),
        Field("AppName", "text"),
        Field("Token", "text", secret=True),
        Field("ExpectedCodes", "text"),
    ],
    value=[Field("StatusCode", "int32"), Field("NewIDs", "object"), Field("Result", "object")],
    config=FederationConfig,
    inprocess_only="it asks the host where other applications are, and for a token",
    description="Commands of other applications",
)
