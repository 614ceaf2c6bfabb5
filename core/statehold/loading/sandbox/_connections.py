"""The connections of one process in the sandbox."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import time

from statehold.loading.sandbox._calls import Calls
from statehold.loading.sandbox._notice import Notice
from statehold.loading.sandbox._target import Targets, parse

_SECONDS = 60.0
_MOST_TOLD = 32
#: So many connections in a second; who wants more waits, and takes no more time of the host's.
_MOST_ASKED = 500
#: So many on their way at the same time: each takes a descriptor of the host's.
_MOST_WAITING = 64
_ON_ITS_WAY, _NOT_CONNECTED = 2, 7
_WHEN_SET = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
)


class Connections:
    """Answers what one process connects to, until it ends or is told to stop."""

    def __init__(self, listener: int, targets: Targets, *, name: str, logger: logging.Logger) -> None:
        self._calls = Calls()
        self._listener = listener
        self._targets = targets
        self._name = name
        self._logger = logger
        self._told: set[str] = set()
        self._turn = 0
        self._since = time.monotonic()
        self._asked = 0
        self._waiting: dict[int, tuple[Notice, socket.socket, float]] = {}

    def run(self, stop: int) -> None:
        """Serve until *stop*, a descriptor, can be read, or nobody is left who could ask."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(stop, select.POLLIN)
        try:
            while True:
                for descriptor, event in poll.poll(1000 if self._waiting else None):
                    if descriptor == stop:
                        return
                    if descriptor != self._listener:
                        poll.unregister(descriptor)
                        self._connected(*self._waiting.pop(descriptor)[:2])
                    elif event & select.POLLIN:
                        self._ask(poll)
                        self._slow_down(stop)
                    else:
                        return
                self._give_up(poll)
        finally:
            for notice, connecting, _ in self._waiting.values():
                connecting.close()
                notice.reply(errno.ECONNABORTED)

    def _slow_down(self, stop: int) -> None:
        """Wait for the end of the second once too many were asked for in it."""
        self._asked += 1
        left = self._since + 1.0 - time.monotonic()
        if left > 0 and self._asked >= _MOST_ASKED:
            poll = select.poll()
            poll.register(stop, select.POLLIN)
            poll.poll(left * 1000)
            left = 0.0
        if left <= 0:
            self._since, self._asked = time.monotonic(), 0

    def _ask(self, poll: select.poll) -> None:
        try:
            notice = Notice.receive(self._calls, self._listener)
        except PermissionError as error:
            self._tell(
                logging.ERROR, f"no connection can be made for it: the host may not look into it: {error}"
            )
            return
        if notice is None:
            return
        try:
            theirs = socket.socket(fileno=notice.socket)
        except OSError as failure:
            os.close(notice.socket)  # no socket, and so nobody's who would close it
            notice.reply(failure.errno or errno.EIO)
            return
        try:
            with theirs:
                blocks = os.get_blocking(theirs.fileno())
                if blocks and len(self._waiting) >= _MOST_WAITING:
                    ours, result = None, errno.EAGAIN
                else:
                    ours, result = self._connect(notice, theirs)
        except OSError as failure:
            notice.reply(failure.errno or errno.EIO)
            return
        if ours is None:
            notice.reply(result)
        elif result == errno.EINPROGRESS and blocks:
            self._waiting[ours.fileno()] = notice, ours, time.monotonic() + _SECONDS
            poll.register(ours, select.POLLOUT)
        else:
            self._hand_over(notice, ours, result, blocks=blocks)

    def _connect(self, notice: Notice, theirs: socket.socket) -> tuple[socket.socket | None, int]:
        """Return a socket that connects or is connected, or None and why not."""
        if theirs.type != socket.SOCK_STREAM or theirs.family not in (socket.AF_INET, socket.AF_INET6):
            return None, errno.EPERM
        state = theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != _NOT_CONNECTED:
            return None, errno.EALREADY if state == _ON_ITS_WAY else errno.EISCONN
        target = parse(notice.address)
        if target is None:
            return None, errno.EPERM
        address, port = target
        try:
            addresses = self._targets.find(address, port)
        except OSError as failure:
            self._tell(
                logging.WARNING, f"{self._targets.describe(address, port)} cannot be resolved: {failure}"
            )
            return None, errno.EPERM if isinstance(failure, PermissionError) else errno.EHOSTUNREACH
        if not addresses:
            self._tell(
                logging.WARNING, f"refused to connect to {self._targets.describe(address, port)}: not granted"
            )
            return None, errno.EPERM
        chosen = addresses[self._turn % len(addresses)]
        family = socket.AF_INET6 if ":" in chosen else socket.AF_INET
        ours = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            for level, option in _WHEN_SET:
                ours.setsockopt(level, option, theirs.getsockopt(level, option))
            error = ours.connect_ex((chosen, port))
        except BaseException:
            ours.close()
            raise
        if error not in (0, errno.EINPROGRESS):
            self._turn += 1
            ours.close()
            return None, error
        return ours, error

    def _connected(self, notice: Notice, ours: socket.socket) -> None:
        error = ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._turn += 1
            ours.close()
            notice.reply(error)
        else:
            self._hand_over(notice, ours, 0, blocks=True)

    def _hand_over(self, notice: Notice, ours: socket.socket, error: int, *, blocks: bool) -> None:
        with ours:
            os.set_blocking(ours.fileno(), blocks)
            notice.reply(error if notice.put(ours.fileno()) else errno.EBADF)

    def _give_up(self, poll: select.poll) -> None:
        now = time.monotonic()
        for descriptor, (notice, ours, until) in list(self._waiting.items()):
            if now >= until or not notice.is_valid():
                poll.unregister(descriptor)
                del self._waiting[descriptor]
                ours.close()
                notice.reply(errno.ETIMEDOUT)

    def _tell(self, level: int, text: str) -> None:
        """Log it, but no text twice, and not more of them than one may read."""
        if text not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(text)
            self._logger.log(level, "%s: %s", self._name, text)
