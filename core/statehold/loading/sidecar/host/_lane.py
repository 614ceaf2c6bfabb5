from __future__ import annotations

import socket
import struct
from time import monotonic
from typing import Any, Final

import msgspec

from statehold.loading._size import MOST_VALUES, has_too_many
from statehold.loading.sidecar._codec import Decode
from statehold.loading.sidecar._errors import Reason
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._kinds import ERROR, HEADER, MAX_FRAME, OK
from statehold.sdk import StorageError

_HEADER: Final = struct.Struct(HEADER)
_length = _HEADER.unpack_from
_header = _HEADER.pack
_encode: Final = msgspec.msgpack.Encoder().encode
#: Up to this length a frame fits into a socket that is empty: sending it takes no time.
_SMALL: Final = 32 * 1024
_READ: Final = 64 * 1024


class LaneFault(Exception):  # noqa: N818 - never seen outside
    """A lane cannot be used any more, and its process is to be ended."""

    def __init__(self, reason: Reason, text: str, *, unsent: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        #: Whether the sidecar cannot have got the question.
        self.unsent = unsent


class Lane:
    """The host's end of one socket: one caller at a time asks, and waits for the answer.

    Attributes:
        home: what idle lanes of the same process wait in.
        process: whose it is.
        heard: the length of the last answer to `hear`.
        reads: whether a READ keeps it.

    """

    __slots__ = ("_deadline", "_id", "_looked", "_recv", "_send", "heard", "home", "process", "reads", "sock")

    def __init__(self, sock: socket.socket, deadline: float, home: Any = None, process: Any = None) -> None:
        self.sock = sock
        self.home = home
        self.process = process
        self._deadline = deadline
        self._id = self._looked = self.heard = 0
        self.reads = False
        self._send = sock.send
        self._recv = sock.recv
        # The kernel watches the time: a Python timeout would cost two more system calls each.
        self._limit(deadline)

    def is_quiet(self) -> bool:
        """Return whether nobody has asked anything since this was called before."""
        before, self._looked = self._looked, self._id
        return before == self._id

    def exchange(  # noqa: PLR0917 - on the way of every call
        self, kind: int, handle: int, schema: int, call: Any, argument: Any, decode: Decode, started: float
    ) -> Any:
        """Return the decoded answer to one question; *started* is when its time began to run.

        Raises:
            LaneFault: there is none in time, or it is none.
            StorageError: the question is too long.

        """
        self._id = number = self._id + 1
        body = _encode((kind, number, handle, schema, call, argument))
        size = len(body)
        try:
            if size <= _SMALL:
                self._send(_header(size) + body)
            else:
                self._send_large(_framed(body), started)
        except OSError as error:
            raise self._lost(error, unsent=True) from None
        try:
            data = self._recv(_READ)
            if len(data) < 4 or _length(data)[0] + 4 != len(data):
                data = self._rest(data, started)
        except OSError as error:
            raise self._lost(error) from None
        try:
            answer = decode(data[4:])
            if answer.kind == OK and answer.id == number:
                return answer
        except Exception:  # noqa: BLE001 - decoded once more, by what tells what is wrong
            return self._checked(decode, data, number)
        return self._checked(decode, data, number)

    def exchange_within(  # noqa: PLR0917 - on the way of every call
        self,
        seconds: float,
        kind: int,
        handle: int,
        schema: int,
        call: Any,
        argument: Any,
        decode: Decode,
    ) -> Any:
        """Return the answer as `exchange` does, in less time or more than the usual."""
        usual, self._deadline = self._deadline, max(seconds, 0.001)
        try:
            self._limit(self._deadline)
            answer = self.exchange(kind, handle, schema, call, argument, decode, monotonic())
            self._limit(usual)
            return answer  # noqa: TRY300 - in one piece
        except StorageError:
            self._limit(usual)
            raise
        except OSError as error:
            raise self._lost(error) from None
        finally:
            self._deadline = usual

    def ask(  # noqa: PLR0917 - in the order of the frame
        self, kind: int, handle: int, schema: int, call: Any, argument: Any, started: float | None = None
    ) -> int:
        """Send a question that has several answers, and return its number."""
        self._id += 1
        self.say((kind, self._id, handle, schema, call, argument), started)
        return self._id

    def say(self, message: object, started: float | None = None) -> None:
        """Send what is no question; *started* is when its time began to run, now unless given."""
        try:
            self._send_large(_framed(_encode(message)), started or monotonic())
        except OSError as error:
            raise self._lost(error) from None

    def hear(
        self,
        decode: Decode,
        number: int,
        kinds: tuple[int, ...] = (OK, ERROR),
        started: float | None = None,
    ) -> Any:
        """Return the next answer to the question of that number."""
        try:
            data = self._rest(b"", started or monotonic())
        except OSError as error:
            raise self._lost(error) from None
        self.heard = len(data)
        return self._checked(decode, data, number, kinds)

    def give(self, kind: int, descriptor: int, decode: Decode, started: float) -> None:
        """Ask a question together with which a file descriptor is sent."""
        self._id += 1
        try:
            socket.send_fds(self.sock, [_framed(_encode((kind, self._id, 0, 0, None, None)))], [descriptor])
        except OSError as error:
            raise self._lost(error) from None
        answer = self.hear(decode, self._id, started=started)
        if isinstance(answer.result, Failure):
            raise LaneFault(Reason.PROTOCOL, f"takes no lane: {answer.result.message}")

    def relimit(self, deadline: float) -> None:
        """Wait for each answer so long, from now on."""
        self._deadline = deadline
        self._limit(deadline)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _checked(self, decode: Decode, data: bytes, number: int, kinds: tuple[int, ...] = (OK, ERROR)) -> Any:
        try:
            answer = decode(data[4:])
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer makes of the decoder
            raise LaneFault(Reason.PROTOCOL, f"answered what cannot be read: {error}") from None
        kind = answer.kind
        if answer.id != number or kind not in kinds:
            raise LaneFault(
                Reason.PROTOCOL, f"answered with frame {kind} to question {answer.id}, asked {number}"
            )
        if (kind == ERROR) != isinstance(answer.result, Failure):
            answer.result = self._failure(answer.result, kind)
        return answer

    def _failure(self, result: Any, kind: int) -> Failure:
        try:
            if kind == ERROR:
                return msgspec.convert(result, Failure)
        except msgspec.ValidationError:
            pass
        raise LaneFault(Reason.PROTOCOL, "answered with an error that is none")

    def _limit(self, seconds: float) -> None:
        whole = int(seconds)
        limit = struct.pack("ll", whole, max(int((seconds - whole) * 1e6), 0 if whole else 1))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def _send_large(self, frame: bytes, started: float) -> None:
        left = memoryview(frame)
        try:
            while left:
                self._limit_left(started)
                left = left[self._send(left) :]
        finally:
            self._limit(self._deadline)

    def _rest(self, data: bytes, started: float) -> bytes:
        """Return a whole frame that begins with *data*."""
        try:
            while len(data) < 4:
                self._limit_left(started)
                data += self._more(4 - len(data))
            length = _length(data)[0] + 4
            if length > MAX_FRAME + 4:
                raise LaneFault(
                    Reason.PROTOCOL, f"announced a frame of {length - 4} bytes, {MAX_FRAME} at most"
                )
            if len(data) > length:
                raise LaneFault(Reason.PROTOCOL, "said more than it was asked")
            # Memory only for what has come: an announcement alone costs the sidecar nothing.
            parts, size = [data], len(data)
            while size < length:
                self._limit_left(started)
                parts.append(self._more(min(length - size, 1 << 20)))
                size += len(parts[-1])
        finally:
            if self.sock.fileno() >= 0:
                self._limit(self._deadline)
        whole = b"".join(parts)
        if length > MOST_VALUES and has_too_many(whole[4:]):
            raise LaneFault(Reason.PROTOCOL, f"sent a frame of more than {MOST_VALUES} values")
        return whole

    def _more(self, size: int) -> bytes:
        data = self._recv(size)
        if not data:
            raise ConnectionResetError
        return data

    def _limit_left(self, started: float) -> None:
        left = started + self._deadline - monotonic()
        if left <= 0:
            raise BlockingIOError
        self._limit(left)

    def _lost(self, error: OSError, *, unsent: bool = False) -> LaneFault:
        if isinstance(error, BlockingIOError):
            return LaneFault(Reason.DEADLINE, f"gave no answer within {self._deadline:g} s", unsent=unsent)
        return LaneFault(Reason.CRASHED, "ended", unsent=unsent)


def _framed(body: bytes) -> bytes:
    if len(body) > MAX_FRAME:
        raise StorageError(f"{len(body)} bytes cannot be sent to a sidecar, {MAX_FRAME} at most")
    return _header(len(body)) + body
