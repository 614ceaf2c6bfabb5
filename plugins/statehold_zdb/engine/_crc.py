"""The CRC of zlib: by ISA-L where that is installed, which takes a fifth of the time."""

from __future__ import annotations

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["crc32"]
