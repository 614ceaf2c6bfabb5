from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from statehold_zdb.engine import Batch, Namespace, Sync
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Client

if TYPE_CHECKING:
    from statehold_zdb.server._server import Server

#: After so many bytes of answers the client has to take some of them before more is done.
PIECE: Final = 1024 * 1024
#: The most bytes that wait for a client who is sent them unasked, as a mirror is, and does not take them.
_MOST_UNTAKEN: Final = 64 * 1024 * 1024
#: From so many bytes for each part on, joining them costs more than sending them one by one.
_LARGE: Final = 16 * 1024
#: Where the answer to a write stands among others, to how many it is, and with what they are written.
Write: TypeAlias = tuple[int, int, Batch]


class Sending(asyncio.BufferedProtocol):
    """The answering side of a connection: what was done is written, synced if need be, and answered."""

    client: Client

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: Any = None
        self._socket = -1
        self._paused = False
        self._full = False
        self._closing = False
        self._ends = False
        self._over = False
        self._task: asyncio.Task[None] | None = None
        self._rest = b""
        self._resumed: asyncio.Event | None = None
        #: What has come and is done at the end of the turn.
        self.asked = b""
        #: Answers that wait for writes, or behind those: of which namespace, which are to writes, their size.
        self._held: deque[tuple[Namespace, list[Any], list[Write], int]] = deque()
        self._held_size = 0

    @property
    def _is_held_up(self) -> bool:
        """Whether nothing more is to be done now."""
        return self._task is not None or self._paused or self._full or self._over

    def _go_on(self) -> None:
        raise NotImplementedError

    async def _drain(self) -> None:
        while (self._paused or self._full) and not self._closing:
            self._resumed = asyncio.Event()
            await self._resumed.wait()
        self._resumed = None

    def _deliver(self, out: list[Any], writes: list[Write]) -> None:
        """Answer; what was written, and what comes after it, when the turn has ended."""
        if not out:
            return
        counts = self._server.counts
        counts.commands += len(out)
        for _, count, _ in writes:
            counts.commands += count - 1
        if writes:
            self._hold(out, writes)
            self._server.turn.wait(self, self.client.namespace)
        elif self._held:
            self._hold(out, writes)
        else:
            self._send(out)

    def _hold(self, out: list[Any], writes: list[Write]) -> None:
        """Keep answers until what they wait for is done; where they are many, no more is done until then."""
        size = sum(map(len, out))
        self._held.append((self.client.namespace, out, writes, size))
        self._held_size += size
        if self._held_size > PIECE:
            self._full = True

    def _deliver_piece(self, out: list[Any], writes: list[Write]) -> bool:
        """Answer what there is so far; False if the client has to take it before more is done."""
        self._deliver(out, writes)
        self._full = bool(self._held)
        return not (self._full or self._paused or self._closing)

    def _deliver_one(self, answer: bytes) -> None:
        if max(self._held_size, self._transport.get_write_buffer_size()) > _MOST_UNTAKEN:
            self._server.logger.warning("a client that does not take what it is sent is disconnected")
            self.end()
        elif self._held:
            self._hold([answer], [])
        else:
            self._write(answer)

    def _send_now(self, data: bytes) -> None:
        if data:
            self._deliver_one(data)

    def release(self) -> None:
        """Send the answers that wait no more, because what they are about is written, or has failed."""
        held = self._held
        while held and not self._closing:
            namespace, out, writes, size = held[0]
            if writes and not self._is_settled(namespace, out, writes):
                return
            held.popleft()
            self._held_size -= size
            self._send(out)
        if self._full and not self._closing:
            self._full = False
            if self._resumed is not None:
                self._resumed.set()
            if not self._is_held_up:
                self._go_on()
        if self._ends:
            self._end_if_done()

    def _is_settled(self, namespace: Namespace, out: list[Any], writes: list[Write]) -> bool:
        """Whether *writes* need not be waited for; those that failed are refused in *out* then."""
        number = 0
        for _, _, batch in writes:
            if batch.error is None:
                number = batch.last
                if number < 0:
                    return False  # it is written when the turn ends
        unsynced = number > namespace.synced and namespace.durability.sync is Sync.GROUP
        if unsynced and not namespace.failed and not namespace.closed:
            self._server.syncs.soon(namespace, self)
            return False
        for place, count, batch in writes:
            if batch.error is not None:
                out[place] = replies.refused(namespace, batch.error) * count
            elif unsynced and batch.last > namespace.synced:
                out[place] = replies.CANNOT_WRITE * count
        return True

    def _send(self, out: list[Any]) -> None:
        if len(out) == 1:
            self._write(out[0])
            return
        size = sum(map(len, out))
        if size > _LARGE * len(out):
            self._server.counts.sent += size
            self._transport.writelines(out)
        else:
            self._write(b"".join(out))

    def _write(self, data: bytes | memoryview) -> None:
        """Send *data*: what the socket takes at once, for less than the loop can, and the rest by it."""
        self._server.counts.sent += len(data)
        if len(data) <= _LARGE and not self._transport.get_write_buffer_size():
            try:
                done = os.write(self._socket, data)
            except OSError:
                done = 0  # the loop finds out what it is, and does what is to be done
            if done == len(data):
                self._server.polling.answered()
                return
            data = memoryview(data)[done:]
        self._transport.write(data)

    def end(self) -> None:
        """Close the connection at once, whatever it waits for."""
        if not self._closing:
            self._closing = True
            self._transport.abort()

    def _end(self) -> None:
        """Take nothing more, and close the connection once the client has all answers."""
        self._ends = self._over = True
        self._end_if_done()

    def _end_if_done(self) -> None:
        """Close the connection of a client that says no more, once it has all answers."""
        waits = self._held or self.asked or self._task is not None or (self._paused and not self._over)
        if self._ends and not waits and not self._closing:
            self._closing = True
            self._transport.close()
