from __future__ import annotations

import socket
import threading
from ipaddress import IPv6Address, ip_address

from statehold_sys._network._addresses import Address
from statehold_sys._network._deadline import Deadline


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Return the addresses of *host*, the preferred first.

    Raises:
        TimeoutError: the deadline passed; the system's resolver cannot be stopped, so it goes on unheard.
        OSError: the name has no address.

    """
    host = host.strip("[]")
    try:
        return [_unmapped(ip_address(host))]
    except ValueError:
        pass
    answer: list[Address] = []
    failure: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            # As keys of a dict: once each, in order.
            answer.extend(dict.fromkeys(_unmapped(ip_address(str(entry[4][0]))) for entry in found))
        except (OSError, ValueError) as error:
            failure.append(error)
        finally:
            done.set()

    threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
    if not done.wait(deadline.left()):
        raise deadline.passed()
    if failure or not answer:
        why = f": {failure[0]}" if failure else ""
        raise OSError(f"no address for {host!r:.80}{why}") from (*failure, None)[0]
    return answer


def _unmapped(address: Address) -> Address:
    # ::ffff:127.0.0.1 connects to 127.0.0.1, so it is treated, and allowed, as that.
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
