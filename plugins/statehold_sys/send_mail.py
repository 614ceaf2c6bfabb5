"""Storage `SendMail`: sends a mail by SMTP, at once with GET, when the intents are applied with INSERT."""

from __future__ import annotations

from typing import Final

from statehold.sdk import Field, IStateStorage, Operation, Provider, Rank, Scope, StorageContext
from statehold_sys._mail._config import SendMailConfig


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_sys._mail._storage import SendMail  # noqa: PLC0415 - brings smtplib and email

    return SendMail.open(ctx)


provider: Final = Provider(
    name="SendMail",
    open=_open,
    operations={
        Operation.GET: frozenset({Scope.PROJECTORS, Scope.JOBS}),
        Operation.INSERT: frozenset({Scope.PROJECTORS, Scope.JOBS}),
    },
    key=[
        Field("Host", "text", required=True),
        Field("Port", "int32", required=True),
        Field("From", "text", required=True),
        Field("To", "text", required=True, repeated=True),
        Field("CC", "text", repeated=True),
        Field("BCC", "text", repeated=True),
        Field("Subject", "text"),
        Field("Body", "text"),
        Field("Username", "text"),
        Field("Password", "text", secret=True),
    ],
    value=[Field("Success", "bool"), Field("ErrorMessage", "text")],
    config=SendMailConfig,
    rank=Rank.EFFECT,
    description="Mail by SMTP",
)
