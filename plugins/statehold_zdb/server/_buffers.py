from __future__ import annotations

from typing import Final

import attrs

_KEPT: Final = 8


@attrs.define(eq=False)
class Buffers:
    """Buffers for large arguments; a few are kept, because a new one costs as much as filling it."""

    _free: list[bytearray] = attrs.field(factory=list, init=False)

    def take(self, size: int) -> bytearray:
        """Return a buffer of at least *size* bytes."""
        for i, buffer in enumerate(self._free):
            if len(buffer) >= size:
                return self._free.pop(i)
        return bytearray(max(size, 1024 * 1024))

    def give(self, buffer: bytearray) -> None:
        """Take a buffer back that nobody looks at any more."""
        if len(self._free) < _KEPT:
            self._free.append(buffer)
