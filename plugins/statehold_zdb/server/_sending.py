from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from statehold_zdb.engine import Namespace, Sync, ZdbError, ZdbWriteError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._client import Client

if TYPE_CHECKING:
    from statehold_zdb.server._server import Server

#: After so many bytes of answers the client has to take some of them before more is done.
PIECE: Final = 1024 * 1024
#: Where the answer to a write stands among others, and to how many it is.
Write: TypeAlias = tuple[int, int]


class Sending(asyncio.BufferedProtocol):
    """The answering side of a connection: what was done is written, synced if need be, and answered."""

    client: Client

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: Any = None
        self._paused = False
        self._closing = False
        self._ends = False
        self._task: asyncio.Task[None] | None = None
        self._rest = b""
        self._resumed: asyncio.Event | None = None
        #: Answers that wait for a sync: of which namespace, of which record, the answers, those of writes.
        self._held: deque[tuple[Namespace, int, list[Any], list[Write]]] = deque()

    async def _drain(self) -> None:
        while self._paused and not self._closing:
            self._resumed = asyncio.Event()
            await self._resumed.wait()
        self._resumed = None

    def _commit(self, out: list[Any], writes: list[Write]) -> int:
        """Write what is staged, and return up to which record that is; where that fails, say so."""
        namespace = self.client.namespace
        try:
            return namespace.commit()
        except ZdbError as error:
            self._after_refusal(error, out, writes)
            return 0

    def _after_refusal(self, error: ZdbError, out: list[Any], writes: list[Write]) -> None:
        """Where the disk refused what was staged, say so in the answers that said otherwise."""
        namespace = self.client.namespace
        if isinstance(error, ZdbWriteError):
            answer = replies.refused(namespace, error)
            for place, count in writes:
                if place < len(out) and out[place][:1] in (b"$", b"+") and out[place] != replies.NIL:
                    out[place] = answer * count
            writes.clear()

    def _deliver(self, out: list[Any], writes: list[Write]) -> None:
        namespace = self.client.namespace
        number = self._commit(out, writes) if writes or namespace.staged else 0
        if not out:
            return
        self._server.counts.commands += len(out) + sum(count - 1 for _, count in writes)
        if (writes and number > namespace.synced and namespace.durability.sync is Sync.GROUP) or self._held:
            self._held.append((namespace, number if writes else 0, out[:], writes[:]))
            self._server.sync_soon(namespace, self)
            return
        self._send(out)

    def _deliver_one(self, answer: bytes) -> None:
        if self._held:
            self._held.append((self.client.namespace, 0, [answer], []))
        else:
            self._server.counts.sent += len(answer)
            self._transport.write(answer)

    def release(self) -> None:
        """Send the answers whose sync is done, or has failed."""
        while self._held and not self._closing:
            namespace, number, out, writes = self._held[0]
            if number > namespace.synced and not namespace.failed and not namespace.closed:
                self._server.sync_soon(namespace, self)
                return
            self._held.popleft()
            if number > namespace.synced:
                for place, count in writes:
                    out[place] = replies.CANNOT_WRITE * count
            self._send(out)
        self._end_if_done()

    def _send(self, out: list[Any]) -> None:
        if len(out) == 1 and out[0].__class__ is bytes:
            data = out[0]
            self._server.counts.sent += len(data)
            self._transport.write(data)
        elif any(part.__class__ is memoryview for part in out):
            self._server.counts.sent += sum(map(len, out))
            self._transport.writelines(out)
        else:
            data = b"".join(out)
            self._server.counts.sent += len(data)
            self._transport.write(data)

    def _send_now(self, data: bytes) -> None:
        if data:
            if self._held:
                self._held.append((self.client.namespace, 0, [data], []))
            else:
                self._send([data])

    def end(self) -> None:
        """Close the connection at once, whatever it waits for."""
        if not self._closing:
            self._closing = True
            self._transport.abort()

    def _end(self) -> None:
        """Close the connection, once the client has taken what it was sent."""
        self._closing = True
        self._transport.close()

    def _end_if_done(self) -> None:
        """Close the connection of a client that says no more, once it has all answers."""
        if self._ends and not self._held and self._task is None and not self._paused and not self._closing:
            self._end()
