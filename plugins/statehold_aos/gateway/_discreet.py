from __future__ import annotations

from typing import Final

import msgspec

#: The fields that have what is a user's own.
_OWN: Final = frozenset({"state", "write"})


class Discreet(msgspec.Struct, frozen=True):
    """What has a state, which no log shows."""

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in _OWN)
        return f"{type(self).__name__}({', '.join(shown)})"
