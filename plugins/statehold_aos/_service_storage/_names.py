from __future__ import annotations

import hashlib
import re
from typing import Final

_UNSAFE: Final = re.compile(r"[^a-z0-9]+")
_SHOWN: Final = 32


def folder_name(text: str) -> str:
    """Return the name of the folder for any text: short, readable, a name everywhere, its own for each text.

    What makes it the text's own is the digest; the rest is for people.
    """
    shown = _UNSAFE.sub("-", text.casefold()[: 4 * _SHOWN]).strip("-")[:_SHOWN]
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{shown}-{digest}" if shown else digest
