from __future__ import annotations

import attrs

from statehold_aos.gateway._messages import StateAcceptance


@attrs.define
class Record:
    """What the cloud knows of a claim.

    Attributes:
        state: the state that counts; None where there is none yet.
        checksum: of it.
        stamp: grows with each change of it.
        changed: when it changed, in milliseconds since 1970.
        pushed: the stamp of the newest state that did not come from the unit,
        confirmed: and whether the unit has it.
        sequence: that of the newest message of the unit.
        answer: what that one was answered.

    """

    state: bytes | None = None
    checksum: bytes | None = None
    stamp: int = 0
    changed: int = 0
    pushed: int = 0
    confirmed: bool = True
    sequence: int = 0
    answer: StateAcceptance | None = None
