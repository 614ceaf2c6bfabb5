"""Turns of the loop: what clients send in one turn is written with one write, and answered then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs

from statehold_zdb.engine import Namespace, ZdbError
from statehold_zdb.server._protocol import CRLF, LENGTHS

if TYPE_CHECKING:
    from statehold_zdb.server._connection import Connection
    from statehold_zdb.server._sending import Sending

#: What a connection sends that may join others: nothing but SETs without a stamp.
SETS: Final = b"*3\r\n$3\r\nSET\r\n$"
#: How many line ends such a SET has, if there is none in its key and payload.
_LINES: Final = 7


@attrs.define(eq=False)
class Turn:
    """Gathers what connections write until the loop has heard all who have said something.

    SETs of all connections that come together are done together: that costs a fraction of doing one after
    another. What is staged then, by these and by all else, is written, and who waits for it is answered.
    """

    logger: logging.Logger
    _asking: list[Connection] = attrs.field(factory=list, init=False)
    _waiting: dict[Sending, Namespace] = attrs.field(factory=dict, init=False)
    _comes: bool = attrs.field(default=False, init=False)

    def ask(self, connection: Connection) -> None:
        """Do what *connection* has been asked for when the turn ends."""
        self._asking.append(connection)
        self._come()

    def wait(self, connection: Sending, namespace: Namespace) -> None:
        """Write what is staged in *namespace* when the turn ends, and let *connection* answer then."""
        self._waiting[connection] = namespace
        self._come()

    def _come(self) -> None:
        if not self._comes:
            self._comes = True
            # What is called soon is called when all who can be read have been.
            asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        asking, self._asking = self._asking, []
        together: dict[Namespace, list[Connection]] = {}
        for connection in asking:
            if connection.may_join:
                together.setdefault(connection.client.namespace, []).append(connection)
            else:
                self._alone(connection)
        for namespace, connections in together.items():
            if not _set_all(namespace, connections) and len(connections) > 1:
                for connection in connections:
                    _set_all(namespace, [connection])
            for connection in connections:
                if connection.asked:
                    self._alone(connection)
        waiting, self._waiting = self._waiting, {}
        self._comes = False
        for namespace in set(waiting.values()):
            with contextlib.suppress(ZdbError):  # who waits hears of it by the batch
                namespace.flush()
        for each in waiting:
            each.release()

    def _alone(self, connection: Connection) -> None:
        try:
            connection.do_asked()
        except Exception:
            self.logger.exception("a connection is ended by an error")
            connection.end()


def _set_all(namespace: Namespace, connections: Sequence[Connection]) -> bool:
    """Do what *connections* were asked for, if that is to SET new keys; else do nothing, and say so."""
    tokens: list[bytes] = []
    ends, tails = [], []
    for connection in connections:
        lines = connection.asked.split(CRLF)
        whole = len(lines) - 1 - (len(lines) - 1) % _LINES
        tails.append(CRLF.join(lines[whole:]))
        del lines[whole:]
        tokens += lines
        ends.append(len(tokens) // _LINES)
    count = len(tokens) // _LINES
    keys, payloads, key_sizes = tokens[4::_LINES], tokens[6::_LINES], tokens[3::_LINES]
    size_of = LENGTHS.get
    if not (
        count
        and tokens[0::_LINES].count(b"*3") == count
        and tokens[2::_LINES].count(b"SET") == count
        and tokens[1::_LINES].count(b"$3") == count
        and list(map(size_of, key_sizes)) == list(map(len, keys))
        and list(map(size_of, tokens[5::_LINES])) == list(map(len, payloads))
        and (batch := namespace.stage_run(keys, payloads)) is not None
    ):
        return False
    answers = [CRLF] * (4 * count)
    answers[0::4], answers[2::4] = key_sizes, keys
    start = 0
    for connection, end, tail in zip(connections, ends, tails, strict=True):
        connection.was_set(end - start, b"".join(answers[4 * start : 4 * end]), batch, tail)
        start = end
    return True
