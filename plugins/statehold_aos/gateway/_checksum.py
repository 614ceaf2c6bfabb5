from __future__ import annotations

import hashlib


def checksum_of(state: bytes) -> bytes:
    """Return the SHA3-224 of a state: 28 bytes, as AOS has it."""
    return hashlib.sha3_224(state).digest()
