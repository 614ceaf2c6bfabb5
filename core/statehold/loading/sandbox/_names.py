"""What a process in the sandbox finds in /etc."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from statehold.loading.sandbox._grants import Grant

# Loopback: should a connection to such an address ever be made, it ends where it began.
_FIRST = int(ipaddress.IPv4Address("127.83.0.1"))


def stand_ins(network: Sequence[str]) -> dict[str, str]:
    """Return an address for each granted name; the broker knows which name it stands for."""
    names = dict.fromkeys(grant.host for grant in map(Grant.parse, network) if grant.is_name)
    return {str(ipaddress.IPv4Address(_FIRST + index)): name for index, name in enumerate(names)}


def etc(network: Sequence[str], uid: int, gid: int) -> Mapping[str, str]:
    """Return the files: one user, and no names but those that are granted."""
    hosts = stand_ins(network)
    if "localhost" not in hosts.values():
        hosts = {"127.0.0.1": "localhost", **hosts}
    return {
        "/etc/passwd": f"app:x:{uid}:{gid}::/tmp:/bin/false\n",
        "/etc/group": f"app:x:{gid}:\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        "/etc/hosts": "".join(f"{address} {name}\n" for address, name in hosts.items()),
    }
