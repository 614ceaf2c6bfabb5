"""What a command knows of the client that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from statehold_zdb.engine import Batch, Engine, Namespace

if TYPE_CHECKING:
    from statehold_zdb.server._server import Server

#: What a command answers: at once, or, where it has to wait, later.
Answer: TypeAlias = bytes | Coroutine[Any, Any, bytes]
Arguments: TypeAlias = list[bytes]
Handler: TypeAlias = "Callable[[Client, Arguments], Answer]"


@attrs.define(eq=False)
class Client:
    """One connection's session.

    Attributes:
        server: the server.
        namespace: the namespace it uses.
        writable: whether it may write to it.
        admin: whether it may do what changes namespaces.
        is_master: whether it mirrors another server.
        batch: what the last command has written, or found written, and is to survive before it is answered.
        nonce: the challenge that the next secure password answers; used once.
        send: writes to the connection, ahead of the answer.
        drain: waits until the connection has taken what was sent.

    """

    server: Server
    namespace: Namespace
    writable: bool
    admin: bool
    send: Callable[[bytes], None]
    drain: Callable[[], Coroutine[Any, Any, None]]
    batch: Batch | None = None
    nonce: bytes | None = None
    is_master: bool = False

    @property
    def engine(self) -> Engine:
        """The engine behind it all."""
        return self.server.engine
