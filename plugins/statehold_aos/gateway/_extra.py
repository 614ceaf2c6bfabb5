from __future__ import annotations

from statehold_aos.gateway._errors import GatewayError


def need_websockets(way: str) -> None:
    """Raise GatewayError where the library for WebSocket is not installed."""
    try:
        import websockets.uri  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise GatewayError(
            f"the way to {way} needs the package 'websockets', which is not installed",
            hint="Install statehold[aos]",
        ) from error
