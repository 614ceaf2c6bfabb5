from __future__ import annotations

from enum import StrEnum
from typing import Final

from statehold_zstor.codec._errors import CodecError
from statehold_zstor.codec._isal import HINT

ZSTD_LEVEL: Final = 3
#: How many samples of a block are looked at, and of how many bytes; smaller blocks are tried as a whole.
_SAMPLES: Final = 16
_SAMPLE: Final = 2048
_LEAST: Final = 4 * _SAMPLES * _SAMPLE


class Compression(StrEnum):
    """How a block is made smaller, where that helps."""

    NONE = "none"
    SNAPPY = "snappy"
    ZSTD = "zstd"


def needed(size: int) -> int:
    """Return how long the target of `compress` must be for *size* bytes of any kind."""
    # Snappy's own bound; that of Zstandard is lower but for the first bytes.
    return 32 + size + size // 6 + 1024


def compress(compression: Compression, data: memoryview, target: memoryview) -> int:
    """Write *data*, compressed, into *target* and return its length; 0 where less than a 16th is gained."""
    if not data or compression is Compression.NONE:
        return 0
    from cramjam import snappy, zstd  # noqa: PLC0415 - of the extra

    if compression is Compression.ZSTD:
        size = zstd.compress_into(data, target, ZSTD_LEVEL)
    elif len(data) >= _LEAST and snappy.compress_raw_into(sample := _sampled(data), target) >= len(sample):
        # It finds only what is near, so that where samples become no smaller the rest does not either.
        return 0
    else:
        size = snappy.compress_raw_into(data, target)
    return size if size <= len(data) - len(data) // 16 and size < len(data) else 0


def _sampled(data: memoryview) -> bytes:
    step = len(data) // _SAMPLES
    return b"".join([data[start : start + _SAMPLE] for start in range(0, _SAMPLES * step, step)])


def decompress(compression: Compression, data: memoryview, target: memoryview) -> None:
    """Fill *target* from *data*; CodecError if that is not exactly what it holds."""
    from cramjam import DecompressionError, snappy, zstd  # noqa: PLC0415 - of the extra

    try:
        if compression is Compression.SNAPPY:
            size = snappy.decompress_raw_into(data, target)
        else:
            size = zstd.decompress_into(data, target)
    except DecompressionError as error:
        raise CodecError(f"a block of {len(target)} bytes does not decompress: {error}") from error
    if size != len(target):
        raise CodecError(f"a block: expected {len(target)} bytes decompressed, got {size}")


def check_libraries() -> None:
    """Raise CodecError, with what to install, where what the codec stands on is not installed."""
    try:
        import cramjam  # noqa: F401, PLC0415 - of the extra
        import isal  # noqa: F401, PLC0415 - of the extra
    except ImportError as error:
        raise CodecError(f"the codec: {error}", hint=HINT) from error
