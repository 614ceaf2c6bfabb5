from __future__ import annotations

from typing import Final

from statehold_aos.gateway._cloud import Cloud
from statehold_aos.gateway._errors import GatewayError
from statehold_aos.gateway._gateway import Gateway
from statehold_aos.gateway._in_process import InProcess
from statehold_aos.gateway._options import Options

IN_PROCESS: Final = "in-process"


def open_gateway(url: str, options: Options) -> Gateway:
    """Return the way to the cloud that a URL names; it connects when it is told to.

    Args:
        url: `wss://...`; `amqps://...`, or `https://...` of a discovery service that says where the broker
            is; `ws://...`, `amqp://...` and `http://...` to this machine; or `in-process`.
        options: who the unit is, and its certificates.

    Raises:
        GatewayError: there is no such way, it cannot be used like this, or its library is not installed.

    """
    if url == IN_PROCESS:
        return InProcess(Cloud())
    scheme = url.partition(":")[0]
    if scheme in ("ws", "wss"):
        from statehold_aos.gateway._websocket import WebSocketGateway  # noqa: PLC0415 - brings an extra

        return WebSocketGateway(url, options)
    if scheme in ("amqp", "amqps", "http", "https"):
        from statehold_aos.gateway._amqp import AmqpGateway  # noqa: PLC0415 - likewise

        return AmqpGateway(url, options)
    raise GatewayError(f"there is no way to a cloud at {scheme}:, expected wss://, amqps:// or {IN_PROCESS}")
