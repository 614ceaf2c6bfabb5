from __future__ import annotations

import attrs

MIB = 1 << 20


@attrs.frozen(kw_only=True)
class ImageLimits:
    """How much an image may hold; enforced while reading, whatever its headers say.

    Attributes:
        entries: files in it.
        file_bytes: size of one file, unpacked.
        total_bytes: size of all files, unpacked.
        ratio: how many bytes one packed byte may become, for files of more than 1 MiB.
        name_bytes: length of a file's path, in UTF-8.

    """

    entries: int = 10_000
    file_bytes: int = 256 * MIB
    total_bytes: int = 1024 * MIB
    ratio: int = 200
    name_bytes: int = 1024


class RefusedError(Exception):
    """A file of an image cannot be read, or is larger than allowed."""


class Budget:
    """How many bytes may still be unpacked."""

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits
        self._left = limits.total_bytes

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise RefusedError(f"the files unpack to more than {self.limits.total_bytes} bytes together")
