from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, Protocol

from statehold_aos.gateway._amqp_errors import AmqpError, AmqpTrouble
from statehold_aos.gateway._amqp_outgoing import Outgoing, Parcel
from statehold_aos.gateway._amqp_session import Session
from statehold_aos.gateway._amqp_terms import AmqpTerms, Fate
from statehold_aos.gateway._amqp_way import Queue, Way
from statehold_aos.gateway._errors import GatewayError

#: Seconds after which a connection is a good one, so that the next attempt after it is soon.
_GOOD: Final = 5.0
#: Troubles of which only the first is told.
_WORDY: Final = (AmqpTrouble.LOST, AmqpTrouble.UNREACHABLE)


class Ends(Protocol):
    """Who a carrier carries for; on the carrier's thread."""

    def up(self) -> None:
        """Hear that what is sent from now on may arrive."""

    def down(self) -> None:
        """Hear that what was sent may have been lost."""

    def take(self, correlation: str, body: bytes) -> Fate:
        """Take a message, or say what else becomes of it."""


class Carrier:
    """Carries messages through a broker, and connects again and again; for any number of threads.

    Args:
        name: for logs, and for the broker's list of connections.
        find: says how to go through the broker, each time anew; raises AmqpError.
        ends: who it carries for.
        terms: how it goes about it.
        logger: where it says what happens.

    Raises:
        GatewayError: the library for it is not installed.

    """

    def __init__(
        self,
        *,
        name: str,
        find: Callable[[], Way],
        ends: Ends,
        terms: AmqpTerms,
        logger: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        if find_spec("pika") is None:
            raise GatewayError(
                f"{name} needs the package 'pika', which is not installed", hint="Install statehold[aos]"
            )
        self._name: Final = name
        self._find: Final = find
        self._ends: Final = ends
        self._terms: Final = terms
        self._logger: Final = logger
        self._outgoing: Final = Outgoing(most=terms.messages, most_bytes=terms.size)
        self._lock: Final = threading.Lock()
        # Who holds it tells; reentrant, for who hears may close.
        self._telling: Final = threading.RLock()
        self._closing: Final = threading.Event()
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._is_up = False
        self._is_full = False
        self._trouble: AmqpError | None = None

    @property
    def trouble(self) -> AmqpError | None:
        """Why messages do not go at the moment; None where they do, or nothing was tried yet."""
        return self._trouble

    def start(self) -> None:
        """Begin to connect; a second time does nothing."""
        with self._lock:
            if self._thread is None and not self._closing.is_set():
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def send(self, parcel: Parcel) -> None:
        """Let a message go if there is a connection, else drop it; return at once."""
        with self._lock:
            session = self._session if self._is_up else None
        if session is None:
            return
        has_room = self._outgoing.put(parcel)
        if has_room:
            session.wake()
        if has_room is self._is_full:
            self._is_full = not has_room
            if not has_room:
                self._logger.warning("%s: too many messages wait: further ones are dropped", self._name)

    def declare(self, queue: Queue, then: Callable[[], None]) -> None:
        """Make a queue, unless it is there, and call *then*; do nothing where there is no connection."""
        with self._lock:
            session = self._session if self._is_up else None
        if session is not None:
            session.declare(queue, lambda: self._tell(then))

    def close(self) -> None:
        """End the connection in order, tell nothing any more, and wait for it; a second time does nothing."""
        with self._telling:
            self._closing.set()
        with self._lock:
            session, thread = self._session, self._thread
        if session is not None:
            session.end()
        if thread is not None and thread is not threading.current_thread():
            thread.join(4 * self._terms.parting)

    # -- The thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        # What pika says in several lines of errors each, this says in one.
        pikas = logging.getLogger("pika")
        if pikas.level == logging.NOTSET:
            pikas.setLevel(logging.CRITICAL)
        failed = 0
        while not self._closing.is_set():
            began = time.monotonic()
            self._set_trouble(self._carry())
            failed = 0 if self._lost(began) else failed + 1
            self._closing.wait(self._terms.pause(failed, random.random()))  # noqa: S311  no secret

    def _carry(self) -> AmqpError | None:
        """Carry until the connection ends, and return why it has."""
        try:
            session = Session(
                way=self._find(), outgoing=self._outgoing, hears=self, terms=self._terms, name=self._name
            )
            with self._lock:
                self._session = None if self._closing.is_set() else session
            return session.run() if self._session is session else None
        except AmqpError as error:
            return error
        except Exception as error:
            self._logger.exception("%s: a defect", self._name)
            return AmqpError(f"{self._name}: {error}", trouble=AmqpTrouble.LOST)
        finally:
            with self._lock:
                self._session = None

    def _lost(self, began: float) -> bool:
        """Take note that there is no connection any more; say whether there was a good one."""
        with self._lock:
            was_up, self._is_up = self._is_up, False
        self._outgoing.clear()
        if was_up:
            self._tell(self._ends.down)
        return was_up and time.monotonic() - began > _GOOD

    def _set_trouble(self, error: AmqpError | None) -> None:
        before, self._trouble = self._trouble, error
        if error is None:
            return
        # A connection that cannot be had ends each time with other words.
        is_known = before is not None and (
            (error.trouble is before.trouble and error.trouble in _WORDY) or str(error) == str(before)
        )
        if not is_known:
            self._logger.warning("%s", error)

    def _tell(self, what: Callable[[], None]) -> None:
        with self._telling:
            if not self._closing.is_set():
                what()

    # -- What a session tells ----------------------------------------------------------------------------

    def ready(self) -> None:
        """Let messages go."""
        self._logger.info("%s: connected", self._name)
        self._set_trouble(None)
        with self._lock:
            self._is_up = True
        self._tell(self._ends.up)

    def blocked(self, reason: str) -> None:
        """Let messages wait."""
        self._set_trouble(
            AmqpError(
                f"{self._name}: the broker takes no messages: {reason}",
                trouble=AmqpTrouble.BLOCKED,
                hint="Look at its memory and its disk",
            )
        )

    def unblocked(self) -> None:
        """Take note that they go again."""
        self._logger.info("%s: the broker takes messages again", self._name)
        self._set_trouble(None)

    def refused(self, parcel: Parcel, why: str) -> None:
        """Tell of a message that did not arrive."""
        to = f" for {parcel.routing_key!r}" if parcel.routing_key else ""
        self._logger.warning("%s: a message%s did not arrive: %s", self._name, to, why)

    def delivered(self, correlation: str, body: bytes) -> Fate:
        """Let the other side take a message, unless it is to hear nothing any more."""
        with self._telling:
            try:
                return Fate.LEFT if self._closing.is_set() else self._ends.take(correlation, body)
            except Exception:
                self._logger.exception("%s: a defect of who takes messages; it comes again", self._name)
                return Fate.LATER
