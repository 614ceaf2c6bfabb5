from __future__ import annotations

import attrs

from statehold_vsql import Scope


@attrs.frozen(kw_only=True)
class CallContext:
    """The call a storage is used in, for storages that ask for it.

    `argument`, `event`, `principal` and `result` are None where the kind of call has none.
    """

    scope: Scope
    workspace: int
    extension: str
    argument: object = None
    event: object = None
    principal: object = None
    result: object = None
