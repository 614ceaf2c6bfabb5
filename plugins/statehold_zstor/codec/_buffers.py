from __future__ import annotations

from typing import TypeAlias

#: What bytes are read from.
Buffer: TypeAlias = bytes | bytearray | memoryview
