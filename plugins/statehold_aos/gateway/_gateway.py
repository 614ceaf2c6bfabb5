from __future__ import annotations

from typing import Protocol, runtime_checkable

from statehold_aos.gateway._messages import ToCloud, ToUnit


class Unit(Protocol):
    """What a gateway tells; each returns at once, on whatever thread."""

    def connected(self) -> None:
        """Hear that from now on, what is sent may arrive."""

    def disconnected(self) -> None:
        """Hear that nothing arrives any more, and what was sent may have been lost."""

    def received(self, message: ToUnit) -> bool:
        """Take a message of the cloud; it may come twice, late, or in another order.

        False: there are too many, and it was not taken. The way that it came lets the cloud wait and brings
        it again, or drops it: what counts is asked for again.
        """


@runtime_checkable
class Gateway(Protocol):
    """The way to the cloud: WebSocket, AMQP, or within the process.

    It need not be reliable: who sends asks again until there is an answer. It keeps nothing.
    """

    def connect(self, unit: Unit) -> None:
        """Begin to connect, and to connect again whenever the connection is lost; return at once."""

    def send(self, message: ToCloud, *, more: bool = False) -> None:
        """Send *message* if there is a connection, else drop it; return without waiting for the cloud.

        Args:
            message: what is sent.
            more: others follow at once, so this one may wait for them.

        Raises:
            GatewayError: it cannot be sent, and will not be however often it is tried.

        """

    def close(self) -> None:
        """End the connection; afterwards `unit` hears nothing. A second time does nothing."""
