"""Reading requests: RESP arrays of bulk strings, as 0-db takes them, and nothing else.

Most requests are read by splitting what came at its line ends, which C does, and checking that every part is
as long as was said; whatever does not fit, such as a payload with a line end in it, is read by `read`
instead. Where payloads are long, looking for line ends in them takes longer than all else: SETs of such are
split where their lengths say.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

CRLF: Final = b"\r\n"
MAX_ARGUMENTS: Final = 1024
MAX_ARGUMENT: Final = 8 * 1024 * 1024
#: The most bytes of all arguments of a request; two payloads are the most that one needs, for SWAP.
MAX_REQUEST: Final = 3 * MAX_ARGUMENT
#: From how many bytes on an argument gets a buffer of its own, which the socket is read into.
LARGE: Final = 32 * 1024

#: What a SET without a stamp begins with.
SETS: Final = b"*3\r\n$3\r\nSET\r\n$"
#: Where a second SET begins later than this the first is long.
LONG: Final = 1024

_LINE: Final = 32
_STAR, _DOLLAR = b"*$"

#: The numbers of arguments, and the lengths, that requests mostly have, by how they are written.
COUNTS: Final = {b"*%d" % i: i for i in range(1, MAX_ARGUMENTS + 1)}
LENGTHS: Final = {b"$%d" % i: i for i in range(16_385)}

#: Of a SET: how many bytes its key has, as it was written, its key and its payload.
One: TypeAlias = tuple[bytes, bytes, bytes]
#: The longest request that `one_set` looks at: where more comes at once, it is more than one.
_LONGEST_ONE: Final = 17_000
#: What stands before the payload is no longer.
_HEAD: Final = 320


def one_set(data: bytes) -> One | None:
    """Return what *data*, which begin as `SETS` say, set, if that is one key and nothing comes after it."""
    lines = data[:_HEAD].split(CRLF, 6) if len(data) <= _LONGEST_ONE else ()
    if len(lines) < 7 or not lines[6]:  # nothing has come of the payload and its end
        return None
    _, _, _, key_size, key, size, rest = lines
    payload = data[min(len(data), _HEAD) - len(rest) : -2]
    size_of = LENGTHS.get
    if not key or size_of(key_size) != len(key) or size_of(size) != len(payload) or data[-2:] != CRLF:
        return None
    return key_size, key, payload


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines of *data*; of long SETs at its beginning, a payload counts as one, whatever is in it.

    What has come of one more SET behind these is one line.
    """
    if len(data) <= LONG or not data.startswith(SETS) or data.find(SETS, len(SETS), LONG) >= 0:
        return data.split(CRLF)
    found: list[bytes] = []
    at, begin, size_of = 0, len(SETS), LENGTHS.get
    while data.startswith(SETS, at):
        key_at = data.find(CRLF, at + begin, at + begin + _LINE) + 2
        key_size = data[at + begin - 1 : key_at - 2]
        size_at = key_at + size_of(key_size, 0) + 2
        start = data.find(CRLF, size_at, size_at + _LINE) + 2
        size = data[size_at : start - 2]
        end = start + size_of(size, MAX_ARGUMENT)
        key = data[key_at : size_at - 2]
        if start < size_at or data[size_at - 2 : size_at] != CRLF or data[end : end + 2] != CRLF:
            return [*found, data[at:]]
        found += (b"*3", b"$3", b"SET", key_size, key, size, data[start:end])
        at = end + 2
    return found + data[at:].split(CRLF)


class ProtocolError(Exception):
    """What came is no request; the text is the answer, and the connection ends."""


class Large(NamedTuple):
    """An argument that is to get a buffer of its own: its bytes, and where it starts."""

    size: int
    start: int


class Reader:
    """Reads one request after another, over as many pieces of data as it takes."""

    __slots__ = ("_size", "arguments", "missing")

    def __init__(self) -> None:
        self.arguments: list[bytes | memoryview] = []
        self.missing = 0
        self._size = 0

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
            self._size = 0
        while self.missing:
            line = self._line(data, at, _DOLLAR, "Malformed query string")
            if line is None:
                return None, at
            size, start = line
            if size > MAX_ARGUMENT or self._size + size > MAX_REQUEST:
                raise ProtocolError("Payload too big")
            end = start + size
            if end + 2 > len(data):
                return (Large(size, start), at) if size >= LARGE else (None, at)
            if data[end : end + 2] != CRLF:
                raise ProtocolError("Malformed query string")
            self.arguments.append(data[start:end])
            self._size += size
            self.missing -= 1
            at = end + 2
        request, self.arguments = self.arguments, []
        return request, at

    def take(self, argument: memoryview) -> list[bytes | memoryview] | None:
        """Have a large argument, and return the request, if that was the last of it."""
        self.arguments.append(argument)
        self._size += len(argument)
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
