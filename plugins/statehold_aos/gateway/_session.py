from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from statehold_aos.gateway._channel import Channel, Closed
from statehold_aos.gateway._errors import MessageError
from statehold_aos.gateway._exchange import Deliver, Exchange

#: Bytes that the other side has not taken: nothing more is given to it, but answers.
_ENOUGH: Final = 2**20
#: Messages in a row that cannot be read: then the other side speaks something else.
_NONSENSE: Final = 100
_POLICY: Final = 1008


class Session:
    """A connection of protocol 7 while it lasts.

    Args:
        channel: what carries it; the handshake is done.
        exchange: what is to be sent, and what becomes of what arrives.
        deliver: takes messages.
        settle: is called when those that came together have been delivered; says whether it had to do
            anything.
        bad: hears of messages that cannot be read.
        alive: seconds without a sign of life after which the other side is asked for one; after twice as
            many it is gone.
        gather: seconds between two calls of `settle`, where messages come one after the other: then it is
            called for many of them.

    """

    def __init__(
        self,
        channel: Channel,
        exchange: Exchange,
        *,
        deliver: Deliver,
        settle: Callable[[], bool] | None = None,
        bad: Callable[[MessageError], None],
        alive: float,
        gather: float = 0.0,
    ) -> None:
        self._channel: Final = channel
        self._exchange: Final = exchange
        self._deliver: Final = deliver
        self._settle: Final = settle
        self._bad: Final = bad
        self._alive: Final = alive
        self._gather: Final = gather
        self._settled = 0.0
        #: Who has it uses the channel, and looks for what is to be sent.
        self._use: Final = threading.Lock()
        #: When the thread of the session looks again, whatever happens.
        self._looks = 0.0
        self._is_asked = False
        self._nonsense = 0
        #: The unit that the other side has named.
        self.system = ""

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Carry messages until the connection ends, or it is to stop and is closed in order.

        Raises:
            Closed: the connection has ended.

        """
        while not is_stopped():
            self.turn(10.0)
        self.close()

    def turn(self, seconds: float) -> None:
        """Do what is to be done now; wait for so long at most if it is nothing.

        Raises:
            Closed: the connection has ended.

        """
        with self._use:
            now = time.monotonic()
            if self._channel.waiting < _ENOUGH:
                self._channel.send(self._exchange.outgoing(now))
            else:
                self._channel.flush()
            wait = min(seconds, self._until(now) - now)
            self._looks = now + wait
            is_ready = self._channel.prepare()
        if not is_ready:
            self._channel.pause(wait)
        with self._use:
            try:
                if self._read() and self._settle is not None:
                    self._wait_for_more()
            finally:  # what was delivered before the end counts
                if self._settle is not None and self._settle():
                    self._settled = time.monotonic()
            self._look_after(time.monotonic())

    def push(self) -> bool:
        """Send what is to be sent now, on any thread; False where the session is to be woken to do so."""
        if not self._use.acquire(blocking=False):
            return False
        try:
            if self._channel.waiting:
                return False
            with suppress(Closed, OSError):  # which the session will find, too
                self._channel.send(self._exchange.outgoing(time.monotonic()))
                due = self._exchange.due()
                is_later = due is None or due >= self._looks
                return is_later and not self._channel.waiting
            return False
        finally:
            self._use.release()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection in order if the other side takes part, and in any case soon."""
        with self._use:
            self._channel.close(code, reason)

    def drop(self) -> None:
        """End the connection at once."""
        with self._use:
            self._channel.drop()

    def _read(self) -> bool:
        bodies = self._channel.read()
        for body in bodies:
            self._take(body)
        return bool(bodies)

    def _wait_for_more(self) -> None:
        """Wait shortly for what may follow, where something has come shortly before."""
        left = self._settled + self._gather - time.monotonic()
        if left > 0:
            time.sleep(left)
            self._read()

    def _take(self, body: bytes) -> None:
        try:
            self.system = self._exchange.take(body, self._deliver, time.monotonic()) or self.system
            self._nonsense = 0
        except MessageError as error:
            self._bad(error)
            self._nonsense += 1
            if self._nonsense >= _NONSENSE:
                self._channel.close(_POLICY, "no messages of protocol 7")
                raise Closed(f"{_NONSENSE} messages in a row could not be read") from error

    def _until(self, now: float) -> float:
        due = self._exchange.due()
        quiet = self._channel.heard + self._alive * (2 if self._is_asked else 1)
        if due is None or self._channel.waiting >= _ENOUGH:
            return quiet
        return max(min(due, quiet), now)

    def _look_after(self, now: float) -> None:
        quiet = now - self._channel.heard
        if quiet < self._alive:
            self._is_asked = False
        elif not self._is_asked:
            self._is_asked = True
            self._channel.ping()
        elif quiet >= 2 * self._alive:
            self._channel.drop()
            raise Closed(f"no sign of life in {quiet:.0f} s")
