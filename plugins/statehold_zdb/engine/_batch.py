from __future__ import annotations

from statehold_zdb.engine._errors import ZdbError


class Batch:
    """Records that are written together: all of them or none.

    Attributes:
        last: the number of its last record; -1 until it is written.
        error: why it was not written.

    """

    __slots__ = ("error", "last")

    def __init__(self, last: int = -1) -> None:
        self.last = last
        self.error: ZdbError | None = None
