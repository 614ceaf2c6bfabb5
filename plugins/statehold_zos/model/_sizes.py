from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from statehold_zos.model._errors import RefusedError

_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_UNITS: Final = {
    "": 1,
    **{unit.lower(): 1024**power for power, unit in enumerate(_BINARY)},
    **{unit.lower(): 1000**power for power, unit in enumerate(_DECIMAL)},
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_MOST: Final = 2**60


def size_of(value: int | str) -> int:
    """Return the bytes of `"10 GiB"`, `"1.5 TB"`, `"4096"` or a number.

    Raises:
        RefusedError: it is none of these, no whole number of bytes, not more than 0, or more than 2^60.

    """
    size: Decimal | None = None
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is not None and match[2].lower() in _UNITS:
            size = Decimal(match[1]) * _UNITS[match[2].lower()]
    elif not isinstance(value, bool):
        size = Decimal(value)
    if size is None or not 0 < size <= _MOST or size != int(size):
        raise RefusedError(
            f"a size: expected bytes, such as 1073741824 or '1 GiB', from 1 to 2^60; got {value!r}"
        )
    return int(size)


def size_text(size: int) -> str:
    """Return a number of bytes as people read it, never more than it is: `1.5 GiB`, `10 KiB`, `17 B`."""
    power = min(max(size.bit_length() - 1, 0) // 10, len(_BINARY) - 1)
    tenths = size * 10 // 1024**power
    whole, rest = divmod(tenths, 10)
    return f"{whole:,}.{rest} {_BINARY[power]}" if rest else f"{whole:,} {_BINARY[power]}"
