from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import decoder
from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.host._lane import Lane, LaneFault
from statehold.loading.sidecar.host._output import Heard, Output
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Forked, Zygote, let_go
from statehold.sdk import PluginError, StateholdError

_SPOKEN: Final = f"the host speaks {', '.join(map(str, k.VERSIONS))}"
_TOO_MANY: Final = "Each sidecar takes 6 descriptors of the host: raise RLIMIT_NOFILE"
#: How long a failed call waits for what the process said at its end, seconds.
_LAST_WORDS: Final = 0.05


class Process:
    """One sidecar: its lanes, and how it begins and ends.

    Attributes:
        idle: the lanes that nobody uses.
        lanes: how many lanes there are.
        reading: how many of them READs keep.
        dead: whether it has ended or is being ended.
        watched: whether somebody waits for a lane, or the process is dead.
        many: whether it takes more than one lane.

    """

    def __init__(
        self,
        who: str,
        *,
        supervisor: Supervisor,
        limits: Limits,
        objects: Objects,
        heard: Heard,
        died: Callable[[Process], None],
    ) -> None:
        self.who = who
        self.idle: deque[Lane] = deque()
        self.lanes = self.reading = 0
        self.dead = False
        self.watched = False
        self.many = True
        self.anything = decoder(Any, objects)
        self._limits = limits
        self._supervisor = supervisor
        self._died = died
        self._lock = threading.Lock()
        self._lane_lock = threading.Lock()
        self._fault: LaneFault | None = None
        self._forked: Forked | None = None
        self._over = threading.Event()
        self._output = Output(
            supervisor,
            heard,
            lambda: self.condemn(LaneFault(Reason.PROTOCOL, "sent a log record that is none")),
        )
        self._control: Lane

    # -- Beginning --------------------------------------------------------------------------------------

    def start(
        self, zygote: Zygote, job: Mapping[str, Any], broker: Callable[[socket.socket], None] | None
    ) -> Any:
        """Start it, let it load its plugin, and return what that is.

        *broker* is given the host's end of a socket for what connects to granted hosts.

        Raises:
            SidecarError: it cannot be started, or not in time.
            PluginError: its plugin cannot be loaded.

        """
        try:
            (ours, theirs), (log, their_log), (out, their_out), (err, their_err) = _channels()
        except OSError as error:
            self.dead = True
            text = f"{self.who} cannot be started: {error.strerror}"
            raise SidecarError(text, reason=Reason.START, hint=_TOO_MANY) from None
        self._control = Lane(ours, self._limits.start, self.idle, self)
        try:
            fds = [theirs.fileno(), their_log.fileno(), their_out, their_err]
            with ExitStack() as stack:
                if broker is not None:
                    channel, their_channel = socket.socketpair()
                    fds.append(stack.enter_context(their_channel).fileno())
                    broker(channel)
                asked = zygote.fork(job, fds)
                try:
                    forked = self._forked = asked.result(self._limits.start)
                except BaseException:
                    asked.add_done_callback(let_go)
                    raise
            self._supervisor.do(lambda: self._watch(forked, log, out, err))
        except BaseException as error:
            self.dead = True
            ours.close()
            log.close()
            os.close(out)
            os.close(err)
            if isinstance(error, TimeoutError):
                raise SidecarError(f"{self.who} was not forked in time", reason=Reason.START) from None
            raise
        finally:
            theirs.close()
            their_log.close()
            os.close(their_out)
            os.close(their_err)
        self.many = k.LANES in self._hello()
        described = self._ask(k.DESCRIBE, None)
        self._control.relimit(self._limits.deadline)
        if not self.many:
            self.lanes = 1
            self.idle.append(self._control)
        return described

    def _hello(self) -> Sequence[str]:
        """Agree on a version of the protocol, and return the features of the sidecar."""
        offer = {"versions": [*k.VERSIONS], "features": [k.LANES]}
        answer = self._ask(k.HELLO, offer)
        version = answer.get("version") if isinstance(answer, dict) else None
        if version not in k.VERSIONS:
            raise self._no_common(f"answers in version {version}")
        features = answer.get("features")
        return features if isinstance(features, list) else ()

    def _no_common(self, text: str) -> SidecarError:
        fault = LaneFault(
            Reason.START, f"has no version of the protocol in common with this host: it {text}, {_SPOKEN}"
        )
        self.condemn(fault)
        return self.error(fault)

    def _ask(self, kind: int, argument: Any) -> Any:
        try:
            answer = self._control.exchange(kind, 0, 0, None, argument, self.anything, monotonic())
        except LaneFault as fault:
            self.condemn(fault)
            raise self.error(fault) from None
        if isinstance(answer.result, Failure):
            if kind == k.HELLO:
                raise self._no_common(f"says {answer.result.message!r}")
            error = answer.result.revive(self.who)
            self.stop(self._limits.deadline)
            if isinstance(error, StateholdError):
                raise error
            raise PluginError(f"{self.who} raised {type(error).__name__}: {error}") from error
        return answer.result

    def add_lane(self, started: float) -> Lane:
        """Return a new lane; a LaneFault says why there can be none."""
        ours, theirs = socket.socketpair()
        try:
            with self._lane_lock, theirs:
                self._control.give(k.LANE, theirs.fileno(), self.anything, started)
        except BaseException:
            ours.close()
            raise
        return Lane(ours, self._limits.deadline, self.idle, self)

    @property
    def pidfd(self) -> int:
        """The descriptor of the process, as long as it runs; -1 if there is none."""
        return -1 if self._forked is None else self._forked.pidfd

    # -- Ending -------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and how is known, if it ever will be."""
        return self._over.is_set()

    def _watch(self, forked: Forked, log: socket.socket, out: int, err: int) -> None:
        self._output.listen(log, {out: logging.INFO, err: logging.WARNING})
        self._supervisor.watch(forked.pidfd, lambda: self._ended(forked))

    def _ended(self, forked: Forked) -> None:
        self._supervisor.forget(forked.pidfd)
        with self._lock:
            os.close(forked.pidfd)
            forked.pidfd = -1
        self._output.close()
        # How it ended comes from the zygote, which may be a moment later.
        forked.when_known(self._over.set)
        self.condemn(LaneFault(Reason.CRASHED, "ended"))

    def condemn(self, fault: LaneFault) -> None:
        """End it because of *fault*; the first one counts."""
        with self._lock:
            if self.dead:
                return
            self._fault = fault
            self.dead = self.watched = True
            self._kill()
        self.drop_lanes()
        self._died(self)

    def stop(self, patience: float) -> None:
        """Let it end by itself, or end it after *patience* seconds."""
        with self._lock:
            begun = not self.dead
            self.dead = self.watched = True
        if begun:
            with suppress(LaneFault, IndexError):
                lane = self._control if self.many else self.idle.pop()
                lane.exchange_within(patience, k.STOP, 0, 0, None, None, self.anything)
                self._over.wait(patience)
        with self._lock:
            self._kill()
        self.drop_lanes()
        self._over.wait(patience)

    def _kill(self) -> None:
        # Under the lock: once the descriptor is closed, its number may be another's.
        if self._forked is not None and self._forked.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._forked.pidfd, signal.SIGKILL)

    def drop_lanes(self) -> None:
        """Close the lanes that nobody uses."""
        with suppress(IndexError):
            while True:
                self.idle.pop().close()
        self._control.close()

    def error(
        self, fault: LaneFault, *, unknown: bool = False, patience: float = _LAST_WORDS
    ) -> SidecarError:
        """Return the error for a call that ended with *fault*."""
        text = fault.text
        if fault.reason is Reason.CRASHED:
            self._over.wait(patience)
            text = _how(None if self._forked is None else self._forked.status)
            own = self._fault
            if own is not None and own.reason is not Reason.CRASHED:
                text = f"was ended, because another call found that it {own.text}"
        lines = "".join(f"\n  {line}" for line in tuple(self._output.last))
        return SidecarError(
            f"{self.who} {text}" + (f"; the last it wrote was{lines}\n" if lines else ""),
            reason=fault.reason,
            unknown=unknown,
            hint="Whether the change was made is not known" if unknown else "",
        )


def _channels() -> tuple[
    tuple[socket.socket, socket.socket], tuple[socket.socket, socket.socket], tuple[int, int], tuple[int, int]
]:
    """Return the pairs for the control lane, the log lane, stdout and stderr, or leave nothing open."""
    with ExitStack() as stack:

        def pair(kind: int) -> tuple[socket.socket, socket.socket]:
            ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            stack.callback(ours.close)
            stack.callback(theirs.close)
            return ours, theirs

        def pipe() -> tuple[int, int]:
            ours, theirs = os.pipe()
            stack.callback(os.close, ours)
            stack.callback(os.close, theirs)
            return ours, theirs

        made = pair(socket.SOCK_STREAM), pair(socket.SOCK_SEQPACKET), pipe(), pipe()
        stack.pop_all()
    return made


def _how(status: int | None) -> str:
    if status is None:
        return "ended"
    if status >= 0:
        return f"ended by itself, with exit status {status}"
    try:
        name = signal.Signals(-status)
    except ValueError:
        return f"was ended by signal {-status}"
    return f"was ended by {name.name} ({signal.strsignal(name)})"
