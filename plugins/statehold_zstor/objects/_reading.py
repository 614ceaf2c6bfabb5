from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

from statehold.sdk import sync_folder
from statehold_zstor.codec import Plain
from statehold_zstor.metadata import ObjectMeta
from statehold_zstor.objects._crew import ahead
from statehold_zstor.objects._errors import DamagedError
from statehold_zstor.objects._fetching import Fetcher, Found
from statehold_zstor.objects._pieces import block_count

#: Is told what was found to be wrong in a block.
OnBad = Callable[[ObjectMeta, int, Found], None]


def blocks(fetcher: Fetcher, first: int, last: int, on_bad: OnBad) -> Generator[Plain]:
    """Yield the blocks from *first* to *last*, in order; some are fetched ahead."""
    numbers = range(first, last + 1)
    found = ahead(numbers, fetcher.block, size=fetcher.meta.block_size, single=first == last)
    with closing(found):
        for plain, wrong in found:
            if wrong.damaged:
                on_bad(fetcher.meta, plain.position, wrong)
            with plain:
                yield plain


def read_range(fetcher: Fetcher, offset: int, size: int | None, on_bad: OnBad) -> bytes:
    """Return bytes of an object, of the blocks that have them."""
    meta = fetcher.meta
    end = meta.size if size is None else min(meta.size, offset + size)
    if offset >= end:
        return b""
    each = meta.block_size
    whole = bytearray(end - offset)
    with closing(blocks(fetcher, offset // each, (end - 1) // each, on_bad)) as found:
        for plain in found:
            start = plain.position * each
            _check_length(meta, plain)
            low, high = max(offset, start), min(end, start + each)
            whole[low - offset : high - offset] = plain.data[low - start : high - start]
    return bytes(whole)


def write_file(fetcher: Fetcher, target: Path, on_bad: OnBad, progress: Callable[[int], None]) -> None:
    """Write an object to *target*, which is there when all of it is, and is right, and is on disk."""
    from isal.isal_zlib import crc32  # noqa: PLC0415  one of the extra's

    meta = fetcher.meta
    # Not the name itself before it: that may be as long as names can be.
    part = target.with_name(f".zstor.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            size = checksum = 0
            with closing(blocks(fetcher, 0, block_count(meta) - 1, on_bad)) as found:
                for plain in found:
                    _check_length(meta, plain)
                    file.write(plain.data)
                    checksum = crc32(plain.data, checksum)
                    size += len(plain.data)
                    progress(len(plain.data))
            _check_whole(meta, size, checksum)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _check_whole(meta: ObjectMeta, size: int, checksum: int) -> None:
    if (size, checksum) != (meta.size, meta.checksum):
        raise DamagedError(
            f"{meta.key!r}: expected {meta.size:,} bytes with the CRC {meta.checksum:08x}, "
            f"got {size:,} with {checksum:08x}",
            key=meta.key,
            block=0,
            lost={},
        )


def _check_length(meta: ObjectMeta, plain: Plain) -> None:
    count = block_count(meta)
    expected = meta.size - (count - 1) * meta.block_size if plain.position == count - 1 else meta.block_size
    if len(plain.data) != expected or plain.last != (plain.position == count - 1):
        raise DamagedError(
            f"{meta.key!r}: block {plain.position}: expected {expected:,} bytes, got {len(plain.data):,}",
            key=meta.key,
            block=plain.position,
            lost={},
        )
