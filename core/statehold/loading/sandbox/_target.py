"""Where a process may connect to."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Sequence

from statehold.loading.sandbox._grants import Grant
from statehold.loading.sandbox._names import stand_ins

Resolve = Callable[[str], Sequence[str]]

_FRESH_SECONDS = 30.0


class Targets:
    """The granted hosts of one process, and their addresses."""

    def __init__(self, network: Sequence[str], resolve: Resolve) -> None:
        self._grants = frozenset(map(Grant.parse, network))
        self._names = stand_ins(network)
        self._resolve = resolve
        self._resolved: dict[str, tuple[float, list[str]]] = {}

    def find(self, address: str, port: int) -> list[str]:
        """Return the addresses to try for what a process connects to, none if that is not granted.

        OSError if a name cannot be resolved, PermissionError if it leads where no name may: to this
        machine or its link, unless it is "localhost". Who answers for a name must not choose what of the
        host it opens.
        """
        name = self._names.get(address)
        host = name or address
        if self._grants.isdisjoint((Grant(host, None), Grant(host, port))):
            return []
        if name is None:
            return [address]
        addresses = self._addresses(name)
        allowed = [each for each in addresses if name == "localhost" or _is_elsewhere(each)]
        if not allowed:
            raise PermissionError(
                errno.EPERM, f"{name} leads to {', '.join(addresses)}, which a name may not"
            )
        return allowed

    def describe(self, address: str, port: int) -> str:
        """Return in words what a process connects to."""
        return f"{self._names.get(address, address)}:{port}"

    def _addresses(self, name: str) -> list[str]:
        now = time.monotonic()
        until, addresses = self._resolved.get(name, (0.0, []))
        if now >= until:
            addresses = list(dict.fromkeys(self._resolve(name)))
            self._resolved[name] = now + _FRESH_SECONDS, addresses
        return addresses


def parse(address: bytes) -> tuple[str, int] | None:
    """Return address and port of what the kernel calls sockaddr; None if it is neither IPv4 nor IPv6."""
    family = int.from_bytes(address[:2], "little")
    if family == socket.AF_INET and len(address) >= 16:
        return str(ipaddress.IPv4Address(address[4:8])), struct.unpack_from("!H", address, 2)[0]
    if family == socket.AF_INET6 and len(address) >= 24:
        found = ipaddress.IPv6Address(address[8:24])
        return str(found.ipv4_mapped or found), struct.unpack_from("!H", address, 2)[0]
    return None


def resolve(name: str) -> list[str]:
    """Return the addresses of a name, as this machine resolves it."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def _is_elsewhere(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return not (found.is_loopback or found.is_link_local or found.is_multicast or found.is_unspecified)
