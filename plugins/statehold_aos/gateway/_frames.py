from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame
    from websockets.server import ServerProtocol

#: Bytes of the largest message that is read and written here: more need another length.
_SHORT: Final = 0xFFFF
_TEXT: Final = 0x81
_BINARY: Final = 0x82
_MASKED: Final = 0x80
_LONGER: Final = 126
#: Bytes that every header has, and those of a header with the longest length and a mask.
_HEADER: Final = 2
_LONG: Final = struct.Struct("!Q")
_MASK: Final = 4
_MASKS: Final = 512
_END: Final = b"\r\n\r\n"


class Frames:
    """Messages in the stream of a WebSocket.

    Nearly all of them are one frame of up to 64 KiB: those are read and written here, for the library takes
    several times as long. It does all else: the handshake, control frames, parts, large frames, whatever
    breaks the rules, and the end.

    Args:
        protocol: of the library, at the beginning of its handshake.
        largest: bytes of a message.

    """

    def __init__(self, protocol: ClientProtocol | ServerProtocol, largest: int) -> None:
        from websockets.client import ClientProtocol  # noqa: PLC0415 - an extra
        from websockets.frames import Frame, Opcode  # noqa: PLC0415 - likewise
        from websockets.protocol import State  # noqa: PLC0415 - likewise

        self._protocol: Final = protocol
        self._frame: Final = Frame
        self._data: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
        self._states: Final = State
        self._masks_out: Final = isinstance(protocol, ClientProtocol)
        self._masked_in: Final = 0 if self._masks_out else _MASKED
        self._mask: Final = _masking()
        self._largest: Final = min(largest, _SHORT)
        self._random = b""
        #: What nobody has looked at yet.
        self._rest = b""
        #: Bytes of a frame that the library has begun with.
        self._left = 0
        self._is_shaking = True
        self._part: Final = bytearray()
        self._is_whole = True

    def written(self, message: bytes) -> bytes:
        """Return the frame of a message, for a connection that is open."""
        size = len(message)
        if size > _SHORT:
            self._protocol.send_binary(message)
            return b"".join(self._protocol.data_to_send())
        masked = _MASKED if self._masks_out else 0
        if size < _LONGER:
            header = bytes((_BINARY, masked | size))
        else:
            header = bytes((_BINARY, masked | _LONGER, size >> 8, size & 0xFF))
        if not self._masks_out:
            return header + message
        mask = self._new_mask()
        return header + mask + self._mask(message, mask)

    def feed(self, data: bytes) -> list[Any]:
        """Return the messages that are whole by now, and what the library says of the handshake."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self._is_shaking:
            return self._frames(data)
        end = data.find(_END)
        if end < 0:
            # The end may come in two parts, so its beginning waits.
            keep = next((size for size in (3, 2, 1) if data.endswith(_END[:size])), 0)
            head, self._rest = data[: len(data) - keep], data[len(data) - keep :]
            return self._fed(head)
        self._is_shaking = False
        end += len(_END)
        return self._fed(data[:end]) + self._frames(data[end:])

    def end(self) -> list[Any]:
        """Return what is left once there comes no more."""
        data, self._rest = self._rest, b""
        found = self._fed(data) if data else []
        self._protocol.receive_eof()
        return found + self._events()

    def _frames(self, data: bytes) -> list[Any]:
        found: list[Any] = []
        at, size = 0, len(data)
        while at < size:
            if self._left:
                part = data[at : at + self._left]
                self._left -= len(part)
                at += len(part)
                found += self._fed(part)
                continue
            state = self._protocol.state
            if state is not self._states.OPEN:
                if state is self._states.CONNECTING and not self._masks_out:
                    self._rest = data[at:]  # early: this side has not answered the handshake yet
                else:  # after the end, or the rest of a server's refusal
                    found += self._fed(data[at:])
                break
            header, length = self._header(data, at)
            is_here = header > 0 and self._is_here(data, at, length)
            if not header or (is_here and at + header + length > size):
                self._rest = data[at:]
                break
            if not is_here:
                self._left = header + length
                continue
            start = at + header
            at = start + length
            if length:
                message = data[start:at]
                found.append(self._mask(message, data[start - _MASK : start]) if self._masked_in else message)
        return found

    @staticmethod
    def _header(data: bytes, at: int) -> tuple[int, int]:
        """Return the bytes of a frame's header, 0 where it is not there, and those of its content."""
        left = len(data) - at
        if left < _HEADER:
            return 0, 0
        second = data[at + 1]
        header, length = _HEADER + (_MASK if second & _MASKED else 0), second & ~_MASKED
        if length < _LONGER:
            return header, length
        if length == _LONGER:
            return (header + 2, data[at + 2] << 8 | data[at + 3]) if left >= _HEADER + 2 else (0, 0)
        if left < _HEADER + _LONG.size:
            return 0, 0
        return header + _LONG.size, int(_LONG.unpack_from(data, at + _HEADER)[0])

    def _is_here(self, data: bytes, at: int, length: int) -> bool:
        """Say whether a frame is a whole message that is read here, and within the rules."""
        return (
            data[at] in (_BINARY, _TEXT)
            and data[at + 1] & _MASKED == self._masked_in
            and length <= self._largest
            and self._is_whole
        )

    def _fed(self, data: bytes) -> list[Any]:
        self._protocol.receive_data(data)
        return self._events()

    def _events(self) -> list[Any]:
        found: list[Any] = []
        for event in self._protocol.events_received():
            if not isinstance(event, self._frame):
                found.append(event)
            elif event.opcode in self._data and (whole := self._joined(event)):
                found.append(whole)
        return found

    def _joined(self, frame: Frame) -> bytes:
        """Return a message once its last part is there; else nothing."""
        if frame.fin and self._is_whole:
            return bytes(frame.data)
        self._part.extend(frame.data)
        self._is_whole = frame.fin
        if not frame.fin:
            return b""
        whole = bytes(self._part)
        self._part.clear()
        return whole

    def _new_mask(self) -> bytes:
        """Return four bytes that nobody can foresee."""
        if not self._random:
            self._random = os.urandom(_MASKS)
        mask, self._random = self._random[:_MASK], self._random[_MASK:]
        return mask


def _masking() -> Callable[[bytes, bytes], bytes]:
    try:
        from websockets.speedups import apply_mask  # noqa: PLC0415 - an extra
    except ImportError:
        from websockets.utils import apply_mask  # noqa: PLC0415 - likewise
    return apply_mask
