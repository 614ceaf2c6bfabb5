from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from statehold.sdk import Secret
from statehold_aos._storage._config import AosConfig
from statehold_aos.gateway import LARGEST

_Milliseconds = Annotated[int, msgspec.Meta(ge=1, le=86_400_000)]


class ServiceStateConfig(AosConfig, frozen=True, forbid_unknown_fields=True):
    """JSONCONFIG of `ServiceState`, besides that of the other storages of the database.

    Attributes:
        DefaultLimit: bytes of a state, for claims that say nothing.
        Conflict: whose state stands where both sides have changed it: `cloud`, `local` or `newest`.
        WrongState: what becomes of a service that starts with a state nobody knows: `start` or `hold`, until
            the cloud has sent the right one.
        QuietMilliseconds: a change is looked at when nothing has followed for so long,
        LongestMilliseconds: but not later than this after its beginning.
        ResendMilliseconds: what got no answer is sent again after so long, then twice as long,
        ResendLimitMilliseconds: up to this.
        KeepVersions: how many accepted versions of each state are kept, and how many others.
        Cloud: the way to the cloud: `wss://...`, `amqps://...`; without TLS to this machine. `in-process`: a
            cloud within the process that accepts everything. Empty: none until `ServiceState.connect` is
            called; what changes waits.
        SystemId: the unit, as the cloud knows it.
        CloudUsers: the claim that messages of the cloud mean which name none.
        CloudAuthorities: a file with the certificates that the cloud's one comes from. Empty: the system's.
        CloudCertificate: a file with the unit's own certificate.
        CloudKey: its key in PEM, if that is not in the same file.
        CloudUser: a name, where the cloud wants one,
        CloudPassword: and a password.
        CloudMaxBytes: bytes of the largest message, either way.

    """

    DefaultLimit: Annotated[int, msgspec.Meta(ge=0, le=2**30)] = 65_536
    Conflict: Literal["cloud", "local", "newest"] = "cloud"
    WrongState: Literal["start", "hold"] = "start"
    QuietMilliseconds: _Milliseconds = 1_000
    LongestMilliseconds: _Milliseconds = 10_000
    ResendMilliseconds: _Milliseconds = 100
    ResendLimitMilliseconds: _Milliseconds = 60_000
    KeepVersions: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    Cloud: str = ""
    SystemId: str = ""
    CloudUsers: str = ""
    CloudAuthorities: str = ""
    CloudCertificate: str = ""
    CloudKey: Secret | None = None
    CloudUser: str = ""
    CloudPassword: Secret | None = None
    CloudMaxBytes: Annotated[int, msgspec.Meta(ge=1_000, le=2**31)] = LARGEST
