from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from statehold_zdb.engine import (
    MAX_KEY,
    Batch,
    Mode,
    Namespace,
    Sync,
    ZdbError,
    ZdbKeyError,
    ZdbMissingError,
)
from statehold_zdb.server import _replies as replies
from statehold_zdb.server._protocol import (
    COUNTS,
    CRLF,
    LENGTHS,
    Large,
    ProtocolError,
    Reader,
    lines_of,
)
from statehold_zdb.server._sending import PIECE, Sending, Write
from statehold_zdb.server.commands import COMMANDS, find

if TYPE_CHECKING:
    from statehold_zdb.server._server import Server

_GETS: Final = b"*2\r\n$3\r\nGET\r\n$"
#: Commands that leave alone what is staged, or stage more.
_STAGING: Final = frozenset({"SET", "SETX", "DEL", "GET", "EXISTS", "PING", "LENGTH"})
#: The most bytes of a request that are read twice.
_SHORT: Final = 64 * 1024


class Doing(Sending):
    """The middle of a connection: requests are found in what came, and done one after another."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self._reader = Reader()
        self._large: bytearray | None = None
        self._large_size = self._large_filled = 0

    @property
    def may_join(self) -> bool:
        """Whether SETs that have come may be done together with those of others, if its namespace may."""
        held_up = self._paused or self._full or self._over or self._task is not None
        return self.client.writable and not held_up

    def was_set(self, answer: bytes, count: int, batch: Batch, *, at_once: bool) -> None:
        """Answer *count* SETs that were done together with others; not *at_once*: when they survive."""
        if not count or self._closing:
            return
        self._server.counts.commands += count
        if not at_once or self._held:
            self._hold([answer], [(0, count, batch)])
            self.release()
            return
        self._write(answer)
        if self._ends:
            self._end_if_done()

    def do_asked(self) -> None:
        """Do what has come, by itself."""
        data, self.asked = self.asked, b""
        if not data:  # it has been done before the turn ended, and what is left of it is kept
            return
        if self._is_held_up:
            self._keep(data)
        elif not self._closing:
            self._do(data)

    def _go_on(self) -> None:
        """Do what came while the connection was held up."""
        if self._large is not None and self._large_filled == self._large_size + 2:
            self._take_large()
        data, self._rest = self._rest, b""
        if data:
            self._do(data)
        if not self._is_held_up and not self._closing:
            self._transport.resume_reading()
            self._end_if_done()

    def _keep(self, data: bytes) -> None:
        """Have *data* wait until the connection goes on."""
        self._rest = data
        if not self._closing:
            self._transport.pause_reading()

    def _do(self, data: bytes) -> None:
        client, server = self.client, self._server
        out: list[Any] = []
        writes: list[Write] = []
        if client.namespace.closed:
            self._send_now(replies.GONE)
            self._end()
            return
        try:
            if self._reader.missing:
                self._do_slowly(data, 0, out, writes)
                return
            if data.startswith(_GETS) and not server.observed and not client.namespace.settings.freeze:
                parts = data.split(_GETS)
                del parts[0]
                hot = server.hot.table(client.namespace)
                try:
                    found = [hot[part] for part in parts]
                except KeyError:
                    pass
                else:
                    if sum(map(len, found)) <= PIECE and not client.namespace.closed:
                        self._deliver(found, [])
                        return
            self._do_fast(lines_of(data), out, writes)
        except ProtocolError as error:
            out.append(replies.error(str(error)))
            self._deliver(out, writes)
            self._end()

    def _do_fast(self, tokens: list[bytes], out: list[Any], writes: list[Write]) -> None:
        """Do what was asked for; what does not fit the simple way goes on slowly from there."""
        last = len(tokens) - 1
        i = size = 0
        lengths, client, server = LENGTHS, self.client, self._server
        observed = server.observed
        plain = _is_plain(client.namespace)
        sequential = client.namespace.settings.mode is Mode.SEQUENTIAL
        hot = server.hot.table(client.namespace)
        while i < last:
            head = tokens[i]
            if head == b"*3":
                end = i + 7
                if end > last:
                    break
                _, a, name, b, key, c, value = tokens[i:end]
                if lengths.get(c) != len(value) or lengths.get(b) != len(key) or lengths.get(a) != len(name):
                    break
                i = end
                if name == b"SET" and plain and (key or sequential) and client.writable and not observed:
                    try:
                        kept, batch = client.namespace.stage(key, value)
                    except ZdbError as error:
                        out.append(_refused_set(client.namespace, key, error))
                        continue
                    writes.append((len(out), 1, batch))
                    if kept is None:
                        out.append(replies.NIL)
                    else:
                        out.append(b"%b\r\n%b\r\n" % (b, key) if key else replies.bulk(kept))
                    continue
                request = [name, key, value]
            elif head == b"*2":
                end = i + 5
                if end > last:
                    break
                _, a, name, b, key = tokens[i:end]
                if lengths.get(b) != len(key) or lengths.get(a) != len(name):
                    break
                i = end
                if name == b"GET" and key and not observed:
                    answer = hot.get(b"%b\r\n%b\r\n" % (b[1:], key))
                    if answer is not None and not client.namespace.settings.freeze:
                        out.append(answer)
                        size += len(answer)
                    else:
                        size += self._get(key, out, writes)
                    if size > PIECE:
                        goes_on = self._deliver_piece(out, writes)
                        out, writes, size = [], [], 0
                        if not goes_on:
                            self._keep(CRLF.join(tokens[i:]))
                            return
                    if self._task is not None:
                        self._keep(CRLF.join(tokens[i:]))
                        return
                    continue
                request = [name, key]
            else:
                count = COUNTS.get(head)
                if count is None:
                    break
                end = i + 1 + 2 * count
                if end > last:
                    break
                request = tokens[i + 2 : end : 2]
                if any(
                    lengths.get(length) != len(word)
                    for length, word in zip(tokens[i + 1 : end : 2], request, strict=True)
                ):
                    break
                i = end
            if not self._one(request, out, writes):
                self._keep(CRLF.join(tokens[i:]))
                return
            size += len(out[-1])
            if size > PIECE:
                goes_on = self._deliver_piece(out, writes)
                out, writes, size = [], [], 0
                if not goes_on:
                    self._keep(CRLF.join(tokens[i:]))
                    return
            plain = _is_plain(client.namespace)
            sequential = client.namespace.settings.mode is Mode.SEQUENTIAL
            hot = server.hot.table(client.namespace)
            observed = server.observed
        if i < last or tokens[last]:
            self._do_slowly(CRLF.join(tokens[i:]), 0, out, writes)
        else:
            self._deliver(out, writes)

    def _do_slowly(self, data: bytes, at: int, out: list[Any], writes: list[Write]) -> None:
        """Do what *data* ask for, one request after another, however they are made."""
        reader = self._reader
        size = 0
        while True:
            begin = -1 if reader.missing else at
            request, at = reader.read(data, at)
            if request is None:
                if begin >= 0 and len(data) - begin <= _SHORT:
                    # Read again as a whole, with what comes after it, it can be done the fast way.
                    reader.missing, at = 0, begin
                self._rest = data[at:]
                break
            if isinstance(request, Large):
                self._begin_large(request, data)
                break
            if not request:
                out.append(b"-Missing arguments\r\n")
                continue
            if not self._one(request, out, writes):
                self._keep(data[at:])
                return
            size += len(out[-1]) if out else 0
            if size > PIECE:
                goes_on = self._deliver_piece(out, writes)
                out, writes, size = [], [], 0
                if not goes_on:
                    self._keep(data[at:])
                    return
        self._deliver(out, writes)

    def _one(self, request: list[Any], out: list[Any], writes: list[Write]) -> bool:
        """Do one request; False if it has to wait, and the connection with it."""
        client, server = self.client, self._server
        if client.namespace.closed:
            out.append(replies.GONE)
            self._deliver(out, writes)
            self._end()
            return False
        word = request[0] if request[0].__class__ is bytes else bytes(request[0])
        name = server.words.get(word) or self._name(word)
        if name is None:
            server.counts.failed += 1
            out.append(b"-Command not supported\r\n")
            return True
        if name not in ("SET", "SETX"):
            request = list(map(bytes, request))
        else:
            request[:2] = map(bytes, request[:2])
        before = client.namespace
        if name == "SELECT" and writes:
            # What was written waits for the namespace that it is in, not for the next one.
            self._deliver(out[:], writes[:])
            out.clear()
            writes.clear()
        if name not in _STAGING and before.staged:
            # What else is asked for may change the namespace, or look at what is on disk.
            with contextlib.suppress(ZdbError):  # who has written hears of it by the batch
                before.flush()
        client.batch = None
        answer = COMMANDS[name](client, request)
        if server.observed:
            if client.batch is not None:  # who mirrors is told of what is written, not of what is refused
                with contextlib.suppress(ZdbError):
                    before.flush()
                if client.batch.error is not None:
                    answer, client.batch = replies.refused(before, client.batch.error), None
            server.saw(client, name, request, answer)
        if isinstance(answer, bytes):
            if answer == replies.DENIED:
                server.counts.unauthorized += 1
            if client.batch is None:
                out.append(answer)
                return True
            if _is_plain(before) or 0 <= client.batch.last <= before.synced:
                writes.append((len(out), 1, client.batch))
                out.append(answer)
                return True
            answer = self._when_synced(before, client.batch, answer)
        self._wait_for(answer, out, writes)
        return False

    async def _when_synced(self, namespace: Namespace, batch: Batch, answer: bytes) -> bytes:
        """Write and sync what was staged, for itself, and then answer."""
        await self._server.syncs.alone(namespace)
        return answer if batch.error is None else replies.refused(namespace, batch.error)

    def _name(self, word: bytes) -> str | None:
        name = find(word)
        if name is not None and len(self._server.words) < 10_000:
            self._server.words[word] = name
        return name

    def _get(self, key: bytes, out: list[Any], writes: list[Write]) -> int:
        """GET *key*, and return about how many bytes that is to answer."""
        client = self.client
        namespace = client.namespace
        if len(key) > 255:
            out.append(replies.INVALID_KEY)
            return 0
        changes = self._server.hot.changes
        try:
            found = namespace.find(key)
        except ZdbMissingError:
            self._wait_for(COMMANDS["GET"](client, [b"GET", key]), out, writes)  # type: ignore[arg-type]
            return 0
        except ZdbError as error:
            out.append(replies.refused(namespace, error))
            return 0
        if found is None:
            out.append(replies.NIL)
            return 5
        size = len(found)
        hot = self._server.hot
        if hot.wants(size):
            reply = replies.bulk(found)
            out.append(reply)
            hot.keep(namespace, key, reply, changes)
        else:
            out += (b"$%d\r\n" % size, found, CRLF)
        return size

    def _begin_large(self, large: Large, data: bytes) -> None:
        buffer = self._server.buffers.take(large.size + 2)
        came = data[large.start :]
        buffer[: len(came)] = came
        self._large, self._large_size, self._large_filled = buffer, large.size, len(came)
        self._rest = b""

    def _take_large(self) -> None:
        if self._is_held_up:  # a client that takes no answers may have sent the start of it before
            self._transport.pause_reading()
            return
        buffer, size = self._large, self._large_size
        assert buffer is not None  # noqa: S101 - the caller has looked
        if buffer[size : size + 2] != CRLF:
            self._deliver([b"-Malformed query string\r\n"], [])
            self._end()
            return
        request = self._reader.take(memoryview(buffer)[:size])
        self._large = None
        if request is None:
            # Further arguments come; this one is kept as it is until then.
            self._reader.arguments[-1] = bytes(self._reader.arguments[-1])
            self._server.buffers.give(buffer)
            return
        out: list[Any] = []
        writes: list[Write] = []
        namespace = self.client.namespace
        goes_on = self._one(request, out, writes)
        with contextlib.suppress(ZdbError):  # who has written hears of it by the batch
            namespace.flush()  # what is staged is in the buffer, which the next one gets
        if goes_on:
            self._deliver(out, writes)
        self._server.buffers.give(buffer)

    def _give_back(self) -> None:
        if self._large is not None:
            self._server.buffers.give(self._large)
            self._large = None

    def _wait_for(self, answer: Coroutine[Any, Any, bytes], out: list[Any], writes: list[Write]) -> None:
        self._deliver(out[:], writes[:])
        out.clear()
        writes.clear()
        self._task = asyncio.get_running_loop().create_task(self._answer(answer))
        # It has not begun where the client went at once; elsewhere it has ended.
        self._task.add_done_callback(lambda _: answer.close())
        self._transport.pause_reading()

    async def _answer(self, answer: Coroutine[Any, Any, bytes]) -> None:
        try:
            reply = await answer
        except ZdbError as error:
            reply = replies.refused(self.client.namespace, error)
        except asyncio.CancelledError:
            raise
        except Exception:
            self._server.logger.exception("a command failed")
            reply = b"-Internal Error\r\n"
        if self._closing:
            return
        self._server.counts.commands += 1
        self._send_now(reply)
        await self._drain()
        self._task = None
        if not self._is_held_up and not self._closing:
            self._go_on()


def _is_plain(namespace: Namespace) -> bool:
    """Whether SETs may be written together."""
    return namespace.durability.sync is not Sync.EVERY


def _refused_set(namespace: Namespace, key: bytes, error: ZdbError) -> bytes:
    if not isinstance(error, ZdbKeyError):
        return replies.refused(namespace, error)
    return b"-Key too large\r\n" if len(key) > MAX_KEY else b"-Invalid key, only update authorized\r\n"
