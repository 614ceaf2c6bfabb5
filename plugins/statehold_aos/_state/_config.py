from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from statehold_aos._storage._config import AosConfig

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
        Gateway: the way to the cloud. `in-process`: a cloud within the process that accepts everything.
            Empty: none until `ServiceState.connect` is called; what changes waits.

    """

    DefaultLimit: Annotated[int, msgspec.Meta(ge=0, le=2**30)] = 65_536
    Conflict: Literal["cloud", "local", "newest"] = "cloud"
    WrongState: Literal["start", "hold"] = "start"
    QuietMilliseconds: _Milliseconds = 1_000
    LongestMilliseconds: _Milliseconds = 10_000
    ResendMilliseconds: _Milliseconds = 100
    ResendLimitMilliseconds: _Milliseconds = 60_000
    KeepVersions: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5
    Gateway: Literal["", "in-process"] = ""
