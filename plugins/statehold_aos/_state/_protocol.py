from __future__ import annotations

import attrs

from statehold_aos._state._cloud_side import CloudSide
from statehold_aos._state._own_side import OwnSide
from statehold_aos._state._sending import Now

__all__ = ["Now", "Protocol"]


@attrs.frozen(kw_only=True)
class Protocol(OwnSide, CloudSide):
    """What is done about the state of a claim when something happens: functions of facts, without I/O.

    Each returns a `Step`, or None where nothing is to be done.
    """
