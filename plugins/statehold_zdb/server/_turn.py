"""Turns of the loop: what clients send in one turn is written with one write, and answered then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from statehold_zdb.engine import Batch, Namespace, Sync, ZdbError
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._protocol import CRLF, LENGTHS, LONG, One, lines_of, one_set

if TYPE_CHECKING:
    from statehold_zdb.server._connection import Connection
    from statehold_zdb.server._sending import Sending
    from statehold_zdb.server._server import Server

#: How many lines a SET without a stamp has, if no line ends are in its key and payload.
_LINES: Final = 7
#: Connections whose SETs were staged together, the answer to each, to how many SETs it is, and their batch.
_Staged: TypeAlias = "tuple[list[Connection], Iterable[tuple[bytes, int]], Batch]"


@attrs.define(eq=False)
class Turn:
    """Gathers what connections write until the loop has heard all who have said something.

    SETs of all connections that come together are done together: that costs a fraction of doing one after
    another. What is staged then, by these and by all else, is written, and who waits for it is answered.
    """

    _server: Server
    _asking: dict[Connection, None] = attrs.field(factory=dict, init=False)
    _waiting: dict[Sending, Namespace] = attrs.field(factory=dict, init=False)
    _comes: bool = attrs.field(default=False, init=False)

    def ask(self, connection: Connection) -> None:
        """Do what *connection* has been asked for when the turn ends."""
        alone = not self._comes and len(self._server.connections) == 1
        if alone and self._set_now(connection):  # nobody else can say anything
            return
        self._asking[connection] = None
        if alone:
            self._comes = True
            self._end()
        else:
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
        asking, self._asking = self._asking, {}
        together: dict[Namespace, list[Connection]] = {}
        for connection in asking:
            if connection.may_join:
                together.setdefault(connection.client.namespace, []).append(connection)
            else:
                self._alone(connection)
        done: list[tuple[Namespace, _Staged]] = []
        for namespace, connections in together.items():
            try:
                done += [(namespace, staged) for staged in self._stage(namespace, connections)]
            except Exception:  # no other turn would come
                self._server.logger.exception("connections are ended by an error")
                for connection in connections:
                    connection.end()
        waiting, self._waiting = self._waiting, {}
        self._comes = False
        for namespace in {*waiting.values(), *together}:
            with contextlib.suppress(ZdbError):  # who waits hears of it by the batch
                namespace.flush()
        for namespace, staged in done:
            _answer(namespace, staged)
        for each in waiting:
            each.release()
        for _, (connections, *_) in done:
            for connection in connections:
                if connection.asked:
                    self._alone(connection)

    def _set_now(self, connection: Connection) -> bool:
        """Do what *connection* was asked for, if that is to SET one key; else do nothing."""
        namespace = connection.client.namespace
        found = one_set(connection.asked) if connection.may_join and self._joins(namespace) else None
        staged = _set_one(namespace, connection, found) if found is not None else None
        if staged is None:
            return False
        with contextlib.suppress(ZdbError):  # who waits hears of it by the batch
            namespace.flush()
        _answer(namespace, staged)
        return True

    def _joins(self, namespace: Namespace) -> bool:
        """Whether SETs in *namespace* may be done together."""
        settled_alone = namespace.closed or namespace.durability.sync is Sync.EVERY
        return not (settled_alone or self._server.observed)

    def _stage(self, namespace: Namespace, connections: list[Connection]) -> list[_Staged]:
        """Stage what *connections* were asked for, together if that can be; else each by itself."""
        if not self._joins(namespace):
            for connection in connections:
                self._alone(connection)
            return []
        found = [one_set(connection.asked) for connection in connections]
        if len(connections) > 1:
            staged = _set_one_each(namespace, connections, found) or _set_all(namespace, connections)
            if staged is not None:
                return [staged]
        done = []
        for connection, one in zip(connections, found, strict=True):
            if one is not None:
                staged = _set_one(namespace, connection, one)
            else:
                staged = _set_all(namespace, [connection])
            if staged is not None:
                done.append(staged)
            else:
                self._alone(connection)
        return done

    def _alone(self, connection: Connection) -> None:
        try:
            connection.do_asked()
            connection.release()
        except Exception:
            self._server.logger.exception("a connection is ended by an error")
            connection.end()


def _answer(namespace: Namespace, staged: _Staged) -> None:
    """Answer SETs that are written, or could not be, unless they have to be synced first."""
    connections, answers, batch = staged
    waits = namespace.durability.sync is Sync.GROUP and batch.last > namespace.synced
    at_once = batch.last >= 0 and not waits
    for connection, (answer, count) in zip(connections, answers, strict=True):
        connection.was_set(answer, count, batch, at_once=at_once)


def _set_one(namespace: Namespace, connection: Connection, found: One) -> _Staged | None:
    """Stage the one SET that *connection* was asked for; None, and nothing is done, if it is refused."""
    key_size, key, payload = found
    try:
        kept, batch = namespace.stage(key, payload)
    except ZdbError:
        return None
    connection.asked = b""
    answer = replies.NIL if kept is None else b"%b\r\n%b\r\n" % (key_size, key)
    return [connection], ((answer, 1),), batch


def _set_one_each(
    namespace: Namespace, connections: list[Connection], found: list[One | None]
) -> _Staged | None:
    """Stage the one SET that each of *connections* was asked for, if that is so, and all keys are new."""
    if None in found:
        return None
    key_sizes, keys, payloads = zip(*found, strict=True)
    batch = namespace.stage_run(keys, payloads)
    if batch is None:
        return None
    for connection in connections:
        connection.asked = b""
    return connections, [(b"%b\r\n%b\r\n" % pair, 1) for pair in zip(key_sizes, keys, strict=True)], batch


def _set_all(namespace: Namespace, connections: list[Connection]) -> _Staged | None:
    """Stage what *connections* were asked for, if that is to SET new keys; else do nothing.

    What has come of a further request is left with them.
    """
    tokens: list[bytes] = []
    counts, tails = [], []
    for connection in connections:
        data = connection.asked
        lines = lines_of(data) if len(data) > LONG else data.split(CRLF)
        count = (len(lines) - 1) // _LINES
        tails.append(CRLF.join(lines[count * _LINES :]))
        del lines[count * _LINES :]
        tokens += lines
        counts.append(count)
    count = sum(counts)
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
        return None
    answers = [b"%b\r\n%b\r\n" % pair for pair in zip(key_sizes, keys, strict=True)]
    if counts.count(1) != len(counts):
        ends = list(accumulate(counts, initial=0))
        answers = [b"".join(answers[start:end]) for start, end in pairwise(ends)]
    for connection, tail in zip(connections, tails, strict=True):
        connection.asked = tail
    return connections, zip(answers, counts, strict=True), batch
