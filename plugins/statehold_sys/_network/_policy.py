from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import attrs

from statehold.sdk import StorageError
from statehold_sys._network._addresses import Address, why_not_public
from statehold_sys._network._deadline import Deadline
from statehold_sys._network._resolve import resolve


class AddressRefusedError(StorageError):
    """A connection to an address that is not public and not allowed by the operator."""


@attrs.frozen
class _Allowed:
    """One entry of the operator's list: a host or a network, on one port or on all."""

    host: str | IPv4Network | IPv6Network
    port: int | None

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port not in (None, port):
            return False
        if isinstance(self.host, str):
            return self.host == _plain(host)
        return address in self.host


@attrs.frozen(kw_only=True)
class AddressPolicy:
    """Says which addresses a storage may connect to: public ones, and what the operator allows.

    It is asked about the very address that is then connected to, so that a name which resolves
    differently a moment later gains nothing.
    """

    storage: str
    _allowed: tuple[_Allowed, ...] = attrs.field(alias="allowed")

    @classmethod
    def of(cls, storage: str, allowances: Mapping[str, Any]) -> AddressPolicy:
        """Return the policy that `allow: {"network": ["10.0.0.0/8", "host", "host:port"]}` describes."""
        for name in allowances:
            if name != "network":
                raise StorageError(
                    f"{storage}: its `allow` has {name!r}, which it does not know",
                    hint='Write the list of what it may connect to as "network"',
                )
        entries = allowances.get("network", ())
        if isinstance(entries, str) or not isinstance(entries, Iterable):
            raise _bad_entry(storage, entries)
        return cls(storage=storage, allowed=tuple(_parse(storage, entry) for entry in entries))

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[str]:
        """Return the addresses of *host* that may be connected to; AddressRefusedError if none may."""
        found = resolve(host, port, deadline)
        refused = {address: self._why_refused(host, port, address) for address in found}
        permitted = [str(address) for address, why in refused.items() if why is None]
        if permitted:
            return permitted
        why = "; ".join(f"{address} is {why}" for address, why in refused.items())
        target = f"[{plain}]:{port}" if ":" in (plain := _plain(host)) else f"{plain}:{port}"
        raise AddressRefusedError(
            f"{self.storage}: may not connect to {target}: {why}",
            hint=f'If that is meant, the operator allows it: "Storages": {{"{self.storage}": '
            f'{{"allow": {{"network": ["{target}"]}}}}}}',
        )

    def _why_refused(self, host: str, port: int, address: Address) -> str | None:
        if any(allowed.covers(host, port, address) for allowed in self._allowed):
            return None
        return why_not_public(address)


def _plain(host: str) -> str:
    host = host.strip("[]").rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def _parse(storage: str, entry: object) -> _Allowed:
    if not isinstance(entry, str) or not entry.strip() or any(map(str.isspace, entry)):
        raise _bad_entry(storage, entry)
    whole = _network(entry)
    if whole is not None:
        return _Allowed(whole, None)
    host, colon, port = entry.rpartition(":")
    if not colon:
        return _Allowed(_plain(entry), None)
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise _bad_entry(storage, entry)
    return _Allowed(_network(host.strip("[]")) or _plain(host), int(port))


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        if "/" not in text:
            address = ip_address(text.strip("[]"))
            mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
            return ip_network(mapped or address)
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _bad_entry(storage: str, entry: object) -> StorageError:
    return StorageError(
        f"{storage}: cannot read {entry!r} in the list of allowed networks",
        hint="Write a list of hosts, addresses or CIDR networks, each with or without a port: "
        '["rates.example", "127.0.0.1:8080", "10.0.0.0/8", "[::1]:8080"]',
    )
