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
        text_bytes: size of all declarations, the descriptor and the manifest; they are read into memory.
        ratio: how many bytes one packed byte may become, for files of more than 1 MiB.
        name_bytes: length of a file's path, in UTF-8.

    """

    entries: int = 10_000
    file_bytes: int = 256 * MIB
    total_bytes: int = 1024 * MIB
    text_bytes: int = 8 * MIB
    ratio: int = 200
    name_bytes: int = 1024


class RefusedError(Exception):
    """A file of an image cannot be read, or is larger than allowed."""


class Budget:
    """How many bytes may still be read: of all files, or of those that *what* names."""

    def __init__(self, limits: ImageLimits, most: int | None = None, what: str = "files") -> None:
        self.limits = limits
        self._most = self._left = limits.total_bytes if most is None else most
        self._what = what

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise RefusedError(f"the {self._what} unpack to more than {self._most} bytes together")
