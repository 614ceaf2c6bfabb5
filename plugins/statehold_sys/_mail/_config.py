from __future__ import annotations

from typing import Annotated, Literal

import msgspec


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
