from __future__ import annotations

import re
from typing import Final

from statehold.sdk import StorageError

_CODES: Final = re.compile(r"[1-5][0-9]{2}(,[1-5][0-9]{2})*\Z")
_DEFAULT: Final = (200, 201)


def expected_codes(storage: str, given: str) -> tuple[int, ...]:
    """Return the statuses of ExpectedCodes, `200,201` if it is empty; StorageError for no such list."""
    if not given:
        return _DEFAULT
    if not _CODES.match(given) or not given.isascii():
        raise StorageError(
            f"{storage}: expected ExpectedCodes as `200,201`, got {given!r:.80}",
            hint="Write statuses of HTTP with three digits, commas between them and no spaces",
        )
    return tuple(map(int, given.split(",")))
