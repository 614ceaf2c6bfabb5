from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from statehold_aos._state._protocol import Protocol
from statehold_aos._state._watch import Quiet
from statehold_aos.gateway import ClaimId


@attrs.frozen(kw_only=True)
class Settings:
    """How states are looked after.

    Attributes:
        protocol: what is done about them.
        quiet: when changes are looked at.
        folder_of: where the folder of a claim is; raises StorageError or OSError.
        default_limit: bytes of a state, for claims that say nothing.
        hold: whether a service whose state is not right is held.

    """

    protocol: Protocol
    quiet: Quiet
    folder_of: Callable[[ClaimId], Path]
    default_limit: int
    hold: bool = False
