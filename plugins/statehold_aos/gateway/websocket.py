"""The way to the cloud over WebSocket, with both of its sides; it needs the extra `aos`."""

from __future__ import annotations

from statehold_aos.gateway._cloud_server import CloudServer
from statehold_aos.gateway._exchange import Terms
from statehold_aos.gateway._tls import client_context, server_context
from statehold_aos.gateway._websocket import WebSocketGateway

__all__ = ["CloudServer", "Terms", "WebSocketGateway", "client_context", "server_context"]
