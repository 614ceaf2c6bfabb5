from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs

from statehold_aos._cloud._control import Control
from statehold_aos._cloud._rule import Rule
from statehold_aos.gateway import ClaimId, CloudBook, CloudHub, GatewayError, Happened, checksum_of
from statehold_aos.gateway.websocket import CloudServer


@attrs.frozen(kw_only=True)
class Settings:
    """How a cloud runs.

    Attributes:
        folder: where its states and its control socket are.
        host: where it listens for WebSocket.
        port: likewise; 0: a free one.
        context: TLS; None: without.
        broker: the URL of a broker of AMQP; empty: none.
        units: whose queues are made there at once.
        workspace: that of messages which name none.
        default: what a claim has that has no state yet; None: nothing.
        rule: what is rejected.

    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    context: ssl.SSLContext | None = None
    broker: str = ""
    units: tuple[str, ...] = ()
    workspace: int = 1
    default: bytes | None = None
    rule: Rule = attrs.field(factory=Rule)


class Running:
    """A cloud that runs, and takes orders at its control socket.

    Args:
        settings: how.
        told: hears of all that happens.

    Raises:
        GatewayError: its folder or its address cannot be used.

    """

    def __init__(self, settings: Settings, told: Callable[[Happened], None]) -> None:
        self._settings: Final = settings
        self._rule = settings.rule
        self._stack: Final = ExitStack()
        try:
            settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            book = CloudBook(settings.folder / "cloud.db")
            self._stack.callback(book.close)
            self.hub: Final = CloudHub(book=book, judge=self._rule, default=settings.default, told=told)
            server = CloudServer(
                self.hub,
                host=settings.host,
                port=settings.port,
                context=settings.context,
                workspace=settings.workspace,
            )
            self._stack.callback(server.close)
            self.url: Final = server.url
            if settings.broker:
                from statehold_aos.gateway._amqp_cloud import AmqpCloud  # noqa: PLC0415 - brings an extra

                broker = AmqpCloud(
                    self.hub, settings.broker, units=settings.units, workspace=settings.workspace
                )
                self._stack.callback(broker.close)
            control = Control(settings.folder, self.order)
            self._stack.callback(control.close)
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """End everything in order."""
        self._stack.close()

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked at the control socket, and return the answer.

        Raises:
            GatewayError: it cannot be done.

        """
        match order:
            case {"do": "push", "unit": str(unit), "service": str(service), "users": str(users), **more}:
                workspace = more.get("workspace") or self._settings.workspace
                state = base64.b64decode(str(more.get("state", "")))
                self.hub.push(unit, ClaimId(int(workspace), service, users), state)
                return {"connected": self.hub.is_connected(unit), "checksum": checksum_of(state).hex()}
            case {"do": "reject", "pattern": str(pattern), "larger_than": int() | None as largest}:
                return self._judge(Rule(pattern, largest))
            case {"do": "accept"}:
                return self._judge(Rule())
            case {"do": "list"}:
                return {**self._rule.document(), "units": [self._unit(one) for one in self.hub.systems()]}
        raise GatewayError(f"nobody knows what to do: {str(order)[:200]}")

    def _judge(self, rule: Rule) -> dict[str, Any]:
        self._rule = rule
        self.hub.judge(rule)
        return rule.document()

    def _unit(self, system: str) -> dict[str, Any]:
        cloud = self.hub.cloud(system)
        waiting = {update.claim for update in cloud.unconfirmed()}
        claims = []
        for claim in sorted(cloud.claims()):
            state = cloud.state(claim) or b""
            claims.append(
                {
                    **claim._asdict(),
                    "checksum": checksum_of(state).hex(),
                    "bytes": len(state),
                    "waiting": claim in waiting,
                }
            )
        return {"unit": system, "connected": self.hub.is_connected(system), "claims": claims}
