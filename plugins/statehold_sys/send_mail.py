"""Storage `SendMail`: sends a mail by SMTP, at once with GET, when the intents are applied with INSERT."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from statehold.sdk import Field, IStateStorage, Operation, Provider, Scope, StorageContext


class SendMailConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `SendMail`.

    Attributes:
        Tls: `offered` uses STARTTLS where the server offers it, `required` refuses to go on without,
            `implicit` speaks TLS from the first byte (port 465), `never` does not use it.
        TimeoutMilliseconds: how long sending one mail may take in all, an hour at most.
        CaFile: a PEM file of certificate authorities to trust instead of the system's.

    """

    Tls: Literal["offered", "required", "implicit", "never"] = "offered"
    TimeoutMilliseconds: Annotated[int, msgspec.Meta(gt=0, le=3_600_000)] = 20_000
    CaFile: str | None = None


def _open(ctx: StorageContext) -> IStateStorage:
    from statehold_sys._mail import SendMail  # noqa: PLC0415 - brings smtplib and email

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
    description="Mail by SMTP",
)
