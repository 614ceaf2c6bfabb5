from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: What ends a line, steers a terminal, or turns the direction of what is read; a tab does none of that.
_SPANS: Final = (
    *((0x00, 0x09), (0x0A, 0x20), (0x7F, 0xA0), (0x61C, 0x61D), (0x200B, 0x2010), (0x2028, 0x202F)),
    *((0x2060, 0x2070), (0xFEFF, 0xFF00), (0xD800, 0xE000)),
)
_ESCAPES: Final[Mapping[int, str]] = {
    code: chr(code).encode("unicode_escape").decode() for first, end in _SPANS for code in range(first, end)
}


def plain(text: str) -> str:
    """Return what a plugin has said with its control characters escaped: in a log it is one line of text."""
    return text if text.isprintable() else text.translate(_ESCAPES)
