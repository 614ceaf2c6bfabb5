"""Reading requests: RESP arrays of bulk strings, as 0-db takes them, and nothing else.

Most requests are read by splitting what came at its line ends, which C does, and checking that every part is
as long as was said; whatever does not fit, such as a payload with a line end in it, is read by `read`
instead.
"""

from __future__ import annotations

from typing import Final, NamedTuple

CRLF: Final = b"\r\n"
MAX_ARGUMENTS: Final = 1024
MAX_ARGUMENT: Final = 8 * 1024 * 1024
#: From how many bytes on an argument gets a buffer of its own, which the socket is read into.
LARGE: Final = 32 * 1024

_LINE: Final = 32
_STAR, _DOLLAR = b"*$"

#: The numbers of arguments, and the lengths, that requests mostly have, by how they are written.
COUNTS: Final = {b"*%d" % i: i for i in range(1, MAX_ARGUMENTS + 1)}
LENGTHS: Final = {b"$%d" % i: i for i in range(16_385)}


class ProtocolError(Exception):
    """What came is no request; the text is the answer, and the connection ends."""


class Large(NamedTuple):
    """An argument that is to get a buffer of its own: its bytes, and where it starts."""

    size: int
    start: int


class Reader:
    """Reads one request after another, over as many pieces of data as it takes."""

    __slots__ = ("arguments", "missing")

    def __init__(self) -> None:
        self.arguments: list[bytes | memoryview] = []
        self.missing = 0

    def read(self, data: bytes, at: int) -> tuple[list[bytes | memoryview] | Large | None, int]:
        """Read on from *at*: return a request, a large argument, or None for too little; and where to go on.

        Raises:
            ProtocolError: what came is no request.

        """
        if not self.missing:
            line = self._line(data, at, _STAR, "Malformed request, array expected")
            if line is None:
                return None, at
            count, at = line
            if count == 0:
                return [], at
            if count > MAX_ARGUMENTS:
                raise ProtocolError("Too many arguments")
            self.missing = count
            self.arguments = []
        while self.missing:
            line = self._line(data, at, _DOLLAR, "Malformed query string")
            if line is None:
                return None, at
            size, start = line
            if size > MAX_ARGUMENT:
                raise ProtocolError("Payload too big")
            end = start + size
            if end + 2 > len(data):
                return (Large(size, start), at) if size >= LARGE else (None, at)
            if data[end : end + 2] != CRLF:
                raise ProtocolError("Malformed query string")
            self.arguments.append(data[start:end])
            self.missing -= 1
            at = end + 2
        request, self.arguments = self.arguments, []
        return request, at

    def take(self, argument: memoryview) -> list[bytes | memoryview] | None:
        """Have a large argument, and return the request, if that was the last of it."""
        self.arguments.append(argument)
        self.missing -= 1
        if self.missing:
            return None
        request, self.arguments = self.arguments, []
        return request

    def _line(self, data: bytes, at: int, kind: int, error: str) -> tuple[int, int] | None:
        end = data.find(CRLF, at, at + _LINE)
        if len(data) > at and data[at] != kind:
            raise ProtocolError(error)
        if end < 0:
            if len(data) - at >= _LINE:
                raise ProtocolError(error)
            return None
        digits = data[at + 1 : end]
        if not digits.isdigit():
            raise ProtocolError(error)
        return int(digits), end + 2
