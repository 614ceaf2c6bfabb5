"""One connection: requests in, answers out, in their order.

What a client sends at once is read and done at once, and answered with one send; what all clients send in one
turn of the loop is written with one write, and synced with one sync where the namespace says so. A request
that has to wait, for a segment, a sync of its own or another client, or a client that does not take its
answers, holds up this connection and no other: nothing more is read from it then, so that it takes a bounded
amount of memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from statehold_zdb.server._client import Client
from statehold_zdb.server._doing import Doing
from statehold_zdb.server._protocol import SETS
from statehold_zdb.server._sending import PIECE

if TYPE_CHECKING:
    from statehold_zdb.server._server import Server

#: The most bytes that wait for the end of the turn; where more come at once, there is nothing to be gained.
_MOST_ASKED: Final = 128 * 1024
#: How much of a request is read before it is known whether an argument is large.
_START: Final = 4096


class Connection(Doing):
    """The protocol of one connection: what the loop calls."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._view = server.receiving
        self._was_large = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._socket = transport.get_extra_info("socket").fileno()
        self._transport.set_write_buffer_limits(high=PIECE)
        server = self._server
        self.client = Client(
            server=server,
            namespace=server.engine["default"],
            writable=not server.options.protect,
            admin=server.admin_password is None,
            send=self._send_now,
            drain=self._drain,
        )
        server.connections.add(self)
        server.counts.clients += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End."""
        self._closing = True
        self._socket = -1  # the number is another one's soon
        server = self._server
        server.connections.discard(self)
        server.mirrors.discard(self.client)
        self._held.clear()
        if self._task is not None:
            self._task.cancel()
        if self._resumed is not None:
            self._resumed.set()
        self._give_back()

    def pause_writing(self) -> None:
        """Do no more until the client has taken what it was sent."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        if self._resumed is not None:
            self._resumed.set()
        if not self._is_held_up and not self._closing:
            self._go_on()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return where the next bytes are to be put."""
        if self._large is not None:
            return memoryview(self._large)[self._large_filled : self._large_size + 2]
        # Who has sent a large argument may send another one: all but its start goes into its buffer, then.
        return self._view[:_START] if self._was_large else self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came."""
        self._server.counts.received += nbytes
        if self._large is not None:
            self._large_filled += nbytes
            if self._large_filled == self._large_size + 2:
                self._was_large = True
                self._take_large()
            return
        alone = self._was_large or nbytes > _MOST_ASKED
        self._was_large = False
        data = bytes(self._view[:nbytes])
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self.asked:
            self.asked += data
            if len(self.asked) > _MOST_ASKED:
                self.do_asked()
        elif self._is_held_up:
            self._keep(data)
        elif data.startswith(SETS) and not alone and not self._reader.missing:
            self.asked = data
            self._server.turn.ask(self)
        else:
            self._do(data)

    def eof_received(self) -> bool:
        """End when the client has all answers to what it has said; it may read on, though it says no more."""
        self._ends = True
        waits = self._held or self.asked or self._task is not None or self._paused
        return bool(waits) and not self._closing
