from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

from statehold_aos.gateway._address import Address, is_this_machine
from statehold_aos.gateway._channel import Alarm, Closed

_MASKS: Final = {ssl.SSLWantReadError: select.POLLIN, ssl.SSLWantWriteError: select.POLLOUT}


def dial(
    address: Address,
    context: ssl.SSLContext | None,
    *,
    alarm: Alarm,
    until: float,
    is_stopped: Callable[[], bool],
) -> socket.socket:
    """Return a socket that is connected, and has spoken TLS where *context* is given.

    The alarm lets it look whether it is to stop.

    Raises:
        OSError: nobody is there, in time, or not who it is to be.
        Closed: it was stopped.

    """
    last: OSError | None = None
    for family, kind, _, _, place in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
        if not address.is_secure and not is_this_machine(str(place[0])):
            continue
        sock = socket.socket(family, kind)
        try:
            sock.settimeout(0)
            wait = _Waiting(sock, alarm, until, is_stopped)
            _connect(sock, place, wait)
            return sock if context is None else _secure(sock, context, address.host, wait)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
    raise last or OSError(errno.EADDRNOTAVAIL, "the name has no address of this machine")


class _Waiting:
    """Waits for a socket, the alarm, and the end of the time."""

    def __init__(
        self, sock: socket.socket, alarm: Alarm, until: float, is_stopped: Callable[[], bool]
    ) -> None:
        self._descriptor: Final = sock.fileno()  # which TLS takes over
        self._alarm: Final = alarm
        self._until: Final = until
        self._is_stopped: Final = is_stopped

    def __call__(self, mask: int) -> None:
        poll = select.poll()
        poll.register(self._descriptor, mask)
        poll.register(self._alarm.descriptor, select.POLLIN)
        while True:
            if self._is_stopped():
                raise Closed("the gateway was closed")
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, "nobody has answered in time")
            found = dict(poll.poll(left * 1000))
            if found.pop(self._alarm.descriptor, 0):
                self._alarm.clear()
            if found:
                return


def _connect(sock: socket.socket, place: object, wait: _Waiting) -> None:
    number = sock.connect_ex(place)  # type: ignore[arg-type]  # as getaddrinfo has returned it
    if number == errno.EINPROGRESS:
        wait(select.POLLOUT)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _secure(sock: socket.socket, context: ssl.SSLContext, host: str, wait: _Waiting) -> ssl.SSLSocket:
    secure = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    try:
        while True:
            try:
                secure.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                wait(_MASKS[type(wanted)])
            else:
                return secure
    except BaseException:
        secure.close()
        raise
