from __future__ import annotations

import ipaddress
from typing import Final, Self
from urllib.parse import urlsplit

import attrs

from statehold_aos.gateway._errors import GatewayError

_PORTS: Final = {"ws": 80, "wss": 443}


@attrs.frozen(kw_only=True)
class Address:
    """Where a cloud is that speaks WebSocket.

    Attributes:
        url: as it was given.
        host: a name or an address.
        port: of TCP.
        is_secure: whether with TLS; without, `host` is this machine.

    """

    url: str
    host: str
    port: int
    is_secure: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            GatewayError: it is none of WebSocket, has a user or a password in it, or would go over a network
                without TLS.

        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise GatewayError(f"the URL of the cloud cannot be read: {error}") from error
        if parts.username is not None or parts.password is not None:
            # Not shown, for that is the point.
            raise GatewayError(
                f"the URL of the cloud at {parts.hostname} has a user in it",
                hint="Use a certificate of the unit: CloudCertificate and CloudKey",
            )
        if parts.scheme not in _PORTS or not parts.hostname or parts.fragment:
            raise GatewayError(f"the URL of the cloud is {url!r}, expected wss://HOST[:PORT][/PATH]")
        is_secure = parts.scheme == "wss"
        if not is_secure and not is_this_machine(parts.hostname):
            raise GatewayError(
                f"the URL of the cloud is {url!r}: ws:// goes to this machine alone",
                hint="Use wss://, or 127.0.0.1",
            )
        return cls(url=url, host=parts.hostname, port=port or _PORTS[parts.scheme], is_secure=is_secure)


def is_this_machine(host: str) -> bool:
    """Say whether a host is this machine for certain."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
