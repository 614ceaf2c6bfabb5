from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from statehold_aos.gateway._amqp_errors import AmqpError, AmqpTrouble, explained
from statehold_aos.gateway._amqp_outgoing import Outgoing, Parcel
from statehold_aos.gateway._amqp_terms import AmqpTerms, Fate, Hears
from statehold_aos.gateway._amqp_way import Broker, Queue, Way

#: Seconds after which a message comes again that was too many.
_LATER: Final = 0.25
#: Seconds after which a message goes again that the broker could not keep.
_NACKED: Final = 1.0
#: Seconds that a socket may take to end.
_BREAKING: Final = 1.0


class Session:
    """One life of the connections to the broker; `run` is on a thread of its own, the rest is for any.

    As brokers advise, there is one connection to send and one to receive, so that a broker which takes no
    messages can still hand some out.
    """

    def __init__(self, *, way: Way, outgoing: Outgoing, hears: Hears, terms: AmqpTerms, name: str) -> None:
        self._way: Final = way
        self._outgoing: Final = outgoing
        self._hears: Final = hears
        self._terms: Final = terms
        self._name: Final = name
        self._lock: Final = threading.Lock()
        self._loop: Any = None
        self._is_over = False
        self._is_woken = False
        # All below is of the thread.
        self._living: Final[list[Any]] = []
        self._sender: Any = None
        self._receiver: Any = None
        self._is_ready = False
        self._is_blocked = False
        self._is_ending = False
        self._error: AmqpError | None = None
        self._tag = 0
        self._unconfirmed: Final[OrderedDict[int, Parcel]] = OrderedDict()

    def run(self) -> AmqpError | None:
        """Connect, and carry messages until the connections end; return why they have, None if asked to."""
        from pika.adapters.select_connection import IOLoop  # noqa: PLC0415  it is of an extra

        loop = IOLoop()
        with self._lock:
            self._loop = None if self._is_over else loop
        try:
            if self._loop is not None:
                loop.call_later(self._terms.patience, self._check_ready)
                self._connect(self._way.sending, "sending", self._prepare_sender)
                loop.start()
        except BaseException:
            self._is_ending = True
            self._break()
            loop.start()
            raise
        finally:
            with self._lock:
                self._is_over, self._loop = True, None
            loop.close()
        return self._error

    def wake(self) -> None:
        """Look for what is to be sent."""
        self._ask(self._pump)

    def declare(self, queue: Queue, then: Callable[[], None]) -> None:
        """Make a queue, unless it is there; then call *then*, on the session's thread."""

        def do() -> None:
            if self._is_ready and not self._is_ending:
                self._declare(queue, lambda _: then())

        self._ask(do)

    def end(self) -> None:
        """End the connections in order: what is to be sent is sent and confirmed, then all is closed."""
        with self._lock:
            if self._loop is None:
                self._is_over = True
                return
        self._ask(lambda: self._end(None))

    def _ask(self, what: Callable[[], None]) -> None:
        with self._lock:
            if self._loop is None or (what == self._pump and self._is_woken):
                return
            self._is_woken = self._is_woken or what == self._pump
            self._loop.add_callback_threadsafe(what)

    # -- Connecting --------------------------------------------------------------------------------------

    def _connect(self, broker: Broker, what: str, then: Callable[[Any, str], None]) -> None:
        import pika  # noqa: PLC0415  likewise

        where = f"{self._name}: {what} through {broker}"
        connection = pika.SelectConnection(
            pika.ConnectionParameters(
                host=broker.host,
                port=broker.port,
                virtual_host=broker.virtual_host,
                credentials=pika.PlainCredentials(broker.user, broker.password),
                heartbeat=self._terms.heartbeat,
                socket_timeout=self._terms.patience / 2,
                stack_timeout=self._terms.patience,
                ssl_options=None if broker.tls is None else pika.SSLOptions(broker.tls, broker.host),
                client_properties={"connection_name": f"{self._name}, {what}"},
            ),
            on_open_callback=lambda opened: opened.channel(on_open_callback=lambda one: then(one, where)),
            on_open_error_callback=lambda ended, error: self._ended(ended, error, where),
            on_close_callback=lambda ended, error: self._ended(ended, error, where),
            custom_ioloop=self._loop,
        )
        self._living.append(connection)

    def _prepare_sender(self, channel: Any, where: str) -> None:
        self._sender = channel
        channel.add_on_close_callback(lambda _, error: self._end(explained(error, where)))
        channel.add_on_return_callback(self._returned)
        connection = channel.connection
        connection.add_on_connection_blocked_callback(lambda _, frame: self._block(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda *_: self._unblock())
        channel.confirm_delivery(self._confirmed, callback=lambda _: None)

        def receive(_: Any) -> None:
            self._connect(self._way.receiving, "receiving", self._prepare_receiver)

        if self._way.exchange:
            channel.exchange_declare(self._way.exchange, passive=True, callback=receive)
        else:
            receive(None)

    def _prepare_receiver(self, channel: Any, where: str) -> None:
        self._receiver = channel
        way = self._way
        channel.add_on_close_callback(lambda _, error: self._end(explained(error, where)))
        channel.add_on_cancel_callback(lambda _: self._end(_cancelled(where, way.queue)))
        # One step after the other; whatever is missing closes the channel.
        for queue in way.declared:
            self._declare(queue)
        channel.basic_qos(prefetch_count=self._terms.prefetch)
        channel.basic_consume(
            way.queue,
            self._delivered,
            consumer_tag=way.consumer or None,
            exclusive=way.exclusive,
            callback=lambda _: self._ready(),
        )

    def _declare(self, queue: Queue, then: Callable[[Any], None] | None = None) -> None:
        if queue.exchange:
            self._receiver.exchange_declare(queue.exchange, exchange_type="fanout", durable=True)
        self._receiver.queue_declare(queue.name, durable=True, callback=then)
        if queue.exchange:
            self._receiver.queue_bind(queue.name, queue.exchange)

    def _ready(self) -> None:
        if not self._is_ending:
            self._is_ready = True
            self._hears.ready()
            self._pump()

    def _check_ready(self) -> None:
        if not self._is_ready and not self._is_ending:
            where = f"{self._name}: {self._way.sending} and {self._way.receiving}"
            self._end(
                AmqpError(
                    f"{where} did not connect within {self._terms.patience:g} s",
                    trouble=AmqpTrouble.UNREACHABLE,
                )
            )

    # -- Sending -----------------------------------------------------------------------------------------

    def _pump(self) -> None:
        with self._lock:
            self._is_woken = False
        while self._is_ready and self._sender.is_open and not self._is_blocked:
            if len(self._unconfirmed) >= self._terms.window or (parcel := self._outgoing.take()) is None:
                return
            self._publish(parcel)

    def _publish(self, parcel: Parcel) -> None:
        import pika  # noqa: PLC0415  likewise

        way = self._way
        self._tag += 1
        self._unconfirmed[self._tag] = parcel
        beside = pika.BasicProperties(
            correlation_id=parcel.correlation or None,
            message_id=str(self._tag),
            content_type="application/json",
            delivery_mode=2,
            user_id=way.sending.user,
        )
        self._sender.basic_publish(way.exchange, parcel.routing_key, parcel.body, beside, way.mandatory)

    def _confirmed(self, frame: Any) -> None:
        """Forget what the broker has; what it could not keep goes again."""
        method = frame.method
        tags = [tag for tag in self._unconfirmed if tag == method.delivery_tag or method.multiple]
        for tag in tags:
            if tag > method.delivery_tag:
                break
            parcel = self._unconfirmed.pop(tag)
            if method.NAME == "Basic.Nack":
                self._hears.refused(parcel, "the broker could not keep it")
                self._outgoing.put_back(parcel)
        if method.NAME == "Basic.Nack" and self._loop is not None:
            self._loop.call_later(_NACKED, self._pump)
        else:
            self._pump()
        if self._is_ending and not self._waits():
            self._close()

    def _returned(self, _channel: Any, method: Any, beside: Any, _body: bytes) -> None:
        parcel = self._unconfirmed.get(int(beside.message_id or 0))
        if parcel is not None:
            self._hears.refused(parcel, f"the broker returned it: {method.reply_text}")

    def _block(self, reason: str) -> None:
        self._is_blocked = True
        self._hears.blocked(reason)

    def _unblock(self) -> None:
        self._is_blocked = False
        self._hears.unblocked()
        self._pump()

    # -- Receiving ---------------------------------------------------------------------------------------

    def _delivered(self, channel: Any, method: Any, beside: Any, body: bytes) -> None:
        fate = Fate.LEFT if self._is_ending else self._hears.delivered(beside.correlation_id or "", body)
        if not channel.is_open:
            return
        match fate:
            case Fate.TAKEN:
                channel.basic_ack(method.delivery_tag)
            case Fate.NEVER:
                channel.basic_reject(method.delivery_tag, requeue=False)
            case Fate.LATER:
                self._loop.call_later(_LATER, lambda: self._give_back(channel, method.delivery_tag))
            case Fate.LEFT:
                pass

    @staticmethod
    def _give_back(channel: Any, tag: int) -> None:
        if channel.is_open:
            channel.basic_reject(tag, requeue=True)

    # -- Ending ------------------------------------------------------------------------------------------

    def _end(self, error: AmqpError | None) -> None:
        if self._is_ending:
            return
        self._is_ending, self._error = True, error
        if error is None:
            self._pump()
        if self._loop is not None:
            waits = error is None and self._waits()
            self._loop.call_later(self._terms.parting if waits else 0, self._close)

    def _waits(self) -> bool:
        """Say whether something is on its way to the broker."""
        if not self._is_ready or self._is_blocked or not self._sender.is_open:
            return False
        return bool(self._unconfirmed) or len(self._outgoing) > 0

    def _close(self) -> None:
        """Close all, in order if the broker answers in time."""
        for connection in list(self._living):
            if connection.is_open:
                connection.close()
            elif not connection.is_closing:
                _break(connection)
        if self._loop is not None:
            self._loop.call_later(self._terms.parting, self._break)
        self._stop()

    def _break(self) -> None:
        """End what the broker does not close: it does not read from a connection that it blocks."""
        for connection in list(self._living):
            _break(connection)
        if self._loop is not None:
            self._loop.call_later(_BREAKING, self._loop.stop)

    def _ended(self, connection: Any, error: BaseException | None, where: str) -> None:
        if connection in self._living:
            self._living.remove(connection)
        self._end(explained(error, where))
        self._stop()

    def _stop(self) -> None:
        if not self._living and self._loop is not None:
            self._loop.stop()


def _break(connection: Any) -> None:
    """End a connection at once; pika has no other way, and its `close` fails while it connects."""
    from pika.exceptions import StreamLostError  # noqa: PLC0415  it is of an extra

    if not connection.is_closed:
        error = connection._error or StreamLostError("ended while connecting")  # noqa: SLF001
        connection._terminate_stream(error)  # noqa: SLF001


def _cancelled(where: str, queue: str) -> AmqpError:
    return AmqpError(
        f"{where}: the queue {queue!r} is gone",
        trouble=AmqpTrouble.MISSING,
        hint="The cloud makes exchange and queue",
    )
