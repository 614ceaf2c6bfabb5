"""Storage `Http`: READ makes an HTTP request and yields the response as one row."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, IStateStorage, Operation, Provider, Scope, StorageContext
from statehold_sys._http._config import HttpConfig


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_sys._http._storage import Http  # noqa: PLC0415 - brings sockets and TLS

    return Http.open(ctx)


provider: Final = Provider(
    name="Http",
    open=_open,
    operations={Operation.READ: frozenset({Scope.QUERIES, Scope.PROJECTORS, Scope.JOBS})},
    key=[
        Field("Url", "text", required=True),
        Field("Method", "text"),
        Field("Body", "bytes"),
        Field("Header", "text", repeated=True, secret=True),
        Field("HTTPClientTimeoutMilliseconds", "int64"),
        Field("HandleErrors", "bool"),
    ],
    value=[
        Field("StatusCode", "int32"),
        Field("Body", "bytes"),
        Field("Header", "text", repeated=True),
        Field("Error", "text"),
    ],
    config=HttpConfig,
    description="Requests to HTTP servers",
)
