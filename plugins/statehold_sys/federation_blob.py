"""Storage `FederationBlob`: READ fetches a blob of this application or another one, piece by piece."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, IStateStorage, Operation, Provider, Scope, StorageContext
from statehold_sys._federation._config import FederationConfig


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_sys._federation._blob import FederationBlob  # noqa: PLC0415 - brings sockets and TLS

    return FederationBlob.open(ctx)


provider: Final = Provider(
    name="FederationBlob",
    open=_open,
    operations={Operation.READ: frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS})},
    key=[
        Field("OwnerID", "ref", required=True),
        Field("OwnerRecord", "qname", required=True),
        Field("OwnerRecordField", "text", required=True),
        Field("Owner", "text"),
        Field("AppName", "text"),
        Field("Token", "text", secret=True),
        Field("ExpectedCodes", "text"),
    ],
    value=[Field("Body", "bytes")],
    config=FederationConfig,
    inprocess_only="it asks the host where other applications are, and for a token",
    description="Blobs of other applications",
)
