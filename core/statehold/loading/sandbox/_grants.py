"""Hosts that are granted."""

from __future__ import annotations

import ipaddress
import re

import attrs

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.IGNORECASE)


@attrs.frozen
class Grant:
    """A host, by name or address, and a port of it, or None for any."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Grant:
        """Read "host", "host:port", "[IPv6]:port" or "IPv6"; ValueError says what is wrong."""
        host, port = _split(text)
        number = None
        if port is not None:
            number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
            if not 1 <= number <= 65535:
                raise ValueError(f"{text!r}: a port is a number from 1 to 65535, got {port!r}")
        address = _address(host)
        if address is not None:
            return cls(str(address), number)
        name = host.rstrip(".").lower()
        if not _NAME.fullmatch(name) or len(name) > 253:
            raise ValueError(f"{text!r}: expected a host name or an address, with or without a port")
        return cls(name, number)

    @property
    def is_name(self) -> bool:
        """Whether the host has to be resolved."""
        return _address(self.host) is None


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or ":" not in host:
            raise ValueError(f"{text!r}: expected [IPv6]:port")
        return host, rest[1:] if rest else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
