from __future__ import annotations

import heapq
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, TypeAlias

import attrs

from statehold_aos.gateway._errors import MessageError
from statehold_aos.gateway._messages import ClaimId, NewState, StateRequest, ToCloud, ToUnit, UpdateState
from statehold_aos.gateway._protocol7 import Ack, Nack, Protocol7, new_number

Message: TypeAlias = ToCloud | ToUnit
#: Takes a message; False where there are too many, and it is to come again later.
Deliver: TypeAlias = Callable[[Message], bool]

_KEPT: Final = (NewState, StateRequest, UpdateState)
_SHORTEST: Final = 0.01
_LONGEST: Final = 3600.0


@attrs.frozen(kw_only=True)
class Terms:
    """How messages are answered, and what may wait.

    Attributes:
        wait: seconds after which a message without an answer is sent again,
        tries: and how often it is sent, before it is dropped.
        pause: milliseconds that the other side is asked to wait where there are too many messages.
        messages: how many may wait to be sent, or for an answer,
        size: and bytes of them.
        remembered: how many messages of the other side are known again when they come twice.

    """

    wait: float = 10.0
    tries: int = 3
    pause: int = 250
    messages: int = 4_096
    size: int = 64 * 2**20
    remembered: int = 4_096


class _Is(Enum):
    """What became of a message that is to be sent."""

    FRESH = 1
    SENT = 2
    HELD = 3


@attrs.define(eq=False)
class _Out:
    """A message that is to be sent, or has no answer yet."""

    message: Message
    number: str
    body: bytes
    #: What it takes the place of, if it is one of those of which the newest counts.
    key: tuple[type, ClaimId] | None = None
    state: _Is = _Is.FRESH
    tries: int = 0
    #: When it is sent (again), if there is no answer.
    due: float = 0.0


class Exchange:
    """One side of a connection of protocol 7: each message is answered, what gets no answer comes again.

    It does no I/O; times are seconds of a clock that does not jump. `put` may be called by any thread, all
    else by the one that has the connection.

    A newer state of a claim takes the place of an older one that has no answer: the older one would undo it
    if it came later.
    """

    def __init__(self, codec: Protocol7, terms: Terms, dropped: Callable[[Message], None]) -> None:
        self._codec = codec
        self._terms: Final = terms
        self._dropped: Final = dropped
        self._lock: Final = threading.Lock()
        self._fresh: Final[deque[_Out]] = deque()
        self._sent: Final[dict[str, _Out]] = {}
        self._current: Final[dict[tuple[type, ClaimId], _Out]] = {}
        self._timers: Final[list[tuple[float, str]]] = []
        self._answers: Final[list[bytes]] = []
        self._seen: Final[OrderedDict[str, None]] = OrderedDict()
        self._count = 0
        self._size = 0

    def belongs_to(self, system: str) -> None:
        """Be for one unit from now on: what another one sends cannot be read."""
        self._codec = attrs.evolve(self._codec, system=system)

    def put(self, message: Message) -> bool:
        """Take a message that is to be sent; False where too many wait already.

        Raises:
            MessageError: it is too large.

        """
        key = (type(message), message.claim) if isinstance(message, _KEPT) else None
        before = None if key is None else self._current.get(key)
        if before is not None and before.message == message:
            return True
        number = new_number()
        body = self._codec.encode(message, number)
        with self._lock:
            before = None if key is None else self._current.get(key)
            more = len(body) - (len(before.body) if before is not None else 0)
            if before is None and self._count >= self._terms.messages:
                return False
            if self._count and self._size + more > self._terms.size:
                return False
            if before is not None and before.state is not _Is.SENT:
                self._replace(before, message, number, body)
                return True
            if before is not None:
                self._forget(before)
            out = _Out(message, number, body, key)
            self._count += 1
            self._size += len(body)
            self._fresh.append(out)
            if key is not None:
                self._current[key] = out
        return True

    def outgoing(self, now: float) -> list[bytes]:
        """Return what is to be sent now: answers, what is new, and what is to come again."""
        found, self._answers[:] = list(self._answers), []
        late: list[_Out] = []
        with self._lock:
            for out in self._next(now):
                if out.tries > self._terms.tries:
                    self._forget(out)
                    late.append(out)
                else:
                    found.append(out.body)
        for out in late:
            self._dropped(out.message)
        return found

    def due(self) -> float | None:
        """Return when there will be something to be sent again."""
        with self._lock:
            while self._timers and self._timers[0][1] not in self._sent:
                heapq.heappop(self._timers)
            return self._timers[0][0] if self._timers else None

    @property
    def has_fresh(self) -> bool:
        """Whether something is to be sent at once."""
        return bool(self._fresh) or bool(self._answers)

    def take(self, body: bytes, deliver: Deliver, now: float) -> str:
        """Take what has arrived, and return the unit that it names.

        A message is delivered once, even if it comes twice.

        Raises:
            MessageError: it cannot be read; it is answered, for it would be no better if it came again.

        """
        try:
            frame = self._codec.decode(body)
        except MessageError:
            number = self._codec.number_of(body) if len(body) <= self._codec.largest else ""
            if number:
                self._answer(number, Ack())
            raise
        match frame.content:
            case Ack():
                with self._lock:
                    self._forget(self._sent.get(frame.number))
            case Nack(retry_after=after):
                self._later(frame.number, now + min(max(after / 1000, _SHORTEST), _LONGEST))
            case message:
                self._hand(message, frame.number, deliver)
        return frame.system

    def _hand(self, message: Message, number: str, deliver: Deliver) -> None:
        if number in self._seen:
            self._answer(number, Ack())
            return
        try:
            taken = deliver(message)
        except MessageError:
            self._answer(number, Ack())
            raise
        if taken:
            self._remember(number)
        else:
            self._answer(number, Nack(self._terms.pause))

    def _remember(self, number: str) -> None:
        if not number:
            return
        self._seen[number] = None
        if len(self._seen) > self._terms.remembered:
            self._seen.popitem(last=False)
        self._answer(number, Ack())

    def _answer(self, number: str, answer: Ack | Nack) -> None:
        if number:
            self._answers.append(self._codec.encode(answer, number))

    def _next(self, now: float) -> Iterator[_Out]:
        while self._fresh:
            yield self._sending(self._fresh.popleft(), now)
        while self._timers and self._timers[0][0] <= now:
            _, number = heapq.heappop(self._timers)
            out = self._sent.get(number)
            if out is not None and out.due <= now:
                yield self._sending(out, now)

    def _sending(self, out: _Out, now: float) -> _Out:
        out.state = _Is.SENT
        out.tries += 1
        self._wait(out, now + self._terms.wait)
        return out

    def _later(self, number: str, at: float) -> None:
        """Hold what the other side does not want yet; it has asked for it to come again."""
        with self._lock:
            out = self._sent.get(number)
            if out is not None:
                out.state, out.tries = _Is.HELD, 0
                self._wait(out, at)

    def _wait(self, out: _Out, until: float) -> None:
        out.due = until
        self._sent[out.number] = out
        heapq.heappush(self._timers, (until, out.number))

    def _replace(self, out: _Out, message: Message, number: str, body: bytes) -> None:
        """Let a newer message have the place of one that waits to be sent."""
        self._size += len(body) - len(out.body)
        if self._sent.pop(out.number, None) is not None:
            self._sent[number] = out
            heapq.heappush(self._timers, (out.due, number))
        out.message, out.number, out.body = message, number, body

    def _forget(self, out: _Out | None) -> None:
        """Drop what was answered, or is not to be sent again."""
        if out is None or self._sent.pop(out.number, None) is None:
            return
        self._count -= 1
        self._size -= len(out.body)
        if out.key is not None and self._current.get(out.key) is out:
            del self._current[out.key]
