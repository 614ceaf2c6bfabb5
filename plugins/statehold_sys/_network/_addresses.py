from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

# A gateway turns the last 32 bits into the IPv4 address that it sends to (RFC 6052).
_NAT64: Final = IPv6Network("64:ff9b::/96")


def why_not_public(address: Address) -> str | None:
    """Return what kind of non-public address *address* is or leads to; None for a public one."""
    if isinstance(address, IPv6Address) and address in _NAT64:
        return why_not_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    for one in (address, *_embedded(address)):
        kind = _kind(one)
        if kind is not None:
            return kind if one is address else f"{kind} ({one} inside)"
    return None


def _kind(address: Address) -> str | None:
    kinds = {
        "unspecified": address.is_unspecified,
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,
        "multicast": address.is_multicast,
        "private": address.is_private or (isinstance(address, IPv6Address) and address.is_site_local),
        "reserved": address.is_reserved,
        "not global": not address.is_global,
    }
    return next((kind for kind, applies in kinds.items() if applies), None)


def _embedded(address: Address) -> Iterator[IPv4Address]:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
