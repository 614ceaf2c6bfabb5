from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._errors import Reason
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.host._breaker import Breaker
from statehold.loading.sidecar.host._handles import Handles
from statehold.loading.sidecar.host._health import look_after
from statehold.loading.sidecar.host._lane import LaneFault
from statehold.loading.sidecar.host._lanes import Lanes
from statehold.loading.sidecar.host._process import Process
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Zygote
from statehold.sdk import FreedError, StateholdError

_MOMENT: Final = 0.05
#: How long the log waits for how a process ended, seconds.
_PATIENCE: Final = 5.0


class Keeper:
    """Keeps a process running for a group: starts it, and after each that fails the next one.

    Attributes:
        starts: how often a process has been started.

    """

    def __init__(
        self,
        who: str,
        job: Callable[[], Mapping[str, Any]],
        *,
        broker: Callable[[socket.socket], None] | None,
        supervisor: Supervisor,
        zygote: Callable[[], Zygote],
        limits: Limits,
        logger: logging.Logger,
        objects: Objects,
        lanes: Lanes,
        handles: Handles,
        breaker: Breaker,
    ) -> None:
        self.starts = 0
        self._who = who
        self._job = job
        self._broker = broker
        self._supervisor = supervisor
        self._zygote = zygote
        self._limits = limits
        self._logger = logger
        self._objects = objects
        self._lanes = lanes
        self._handles = handles
        self._breaker = breaker
        self._starting = False

    def start(self) -> Any:
        """Start the process, and return what its plugin is.

        Raises:
            SidecarError: it cannot be started.
            PluginError: its plugin cannot be loaded.
            FreedError: the plugin has been freed.

        """
        with self._lanes.lock:
            self._lanes.check_open()
        process = self._made()
        described = process.start(self._zygote(), self._job(), self._broker)
        self._use(process)
        return described

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        process = self._lanes.process
        return process is not None and not process.dead

    def close(self) -> None:
        """End the process, for good."""
        process = self._lanes.close()
        if process is not None:
            process.stop(self._limits.deadline)

    def _made(self) -> Process:
        return Process(
            self._who,
            supervisor=self._supervisor,
            limits=self._limits,
            objects=self._objects,
            heard=self._handles.heard,
            died=self._died,
        )

    def _use(self, process: Process) -> None:
        lanes = self._lanes
        try:
            with lanes.lock:
                lanes.check_open()
                self.starts += 1
                self._breaker.works()
                lanes.use(process)
        except FreedError:
            process.stop(self._limits.deadline)
            raise
        if process.dead:
            # It ended before it was known here, and nobody else starts the next one.
            self._died(process)
        look_after(lanes, process, self._supervisor)

    def _died(self, process: Process) -> None:
        lanes = self._lanes
        with lanes.lock:
            if process is not lanes.process or lanes.closed:
                return
            self._plan_start()
        until = monotonic() + _PATIENCE
        self._supervisor.at(monotonic() + _MOMENT, lambda: self._tell(process, until))

    def _tell(self, process: Process, until: float) -> None:
        """Log how a process ended, and what it said, once that is known."""
        if not process.is_over and monotonic() < until:
            self._supervisor.at(monotonic() + _MOMENT, lambda: self._tell(process, until))
            return
        self._breaker.trouble = error = process.error(LaneFault(Reason.CRASHED, "ended"), patience=0)
        self._handles.heard(0, logging.WARNING, str(error))

    def _plan_start(self) -> None:
        if self._starting:
            return
        self._starting = True
        wait = self._breaker.failed()
        self._lanes.wake()

        def begin() -> None:
            threading.Thread(target=self._start_again, name=f"{self._who} starts", daemon=True).start()

        self._supervisor.at(monotonic() + wait, begin)

    def _start_again(self) -> None:
        process, lanes = self._made(), self._lanes
        try:
            if lanes.closed:
                return
            process.start(self._zygote(), self._job(), self._broker)
            for handle, argument in self._handles.kept():
                self._open_in(process, handle, argument)
            with lanes.lock:
                self._starting = False
            self._use(process)
        except FreedError:
            return
        except Exception as error:  # noqa: BLE001 - whatever the plugin raised; tried again later
            process.stop(0)
            trouble = error if isinstance(error, StateholdError) else StateholdError(repr(error))
            self._breaker.trouble = trouble
            self._logger.warning("%s cannot be started again: %s", self._who, error)
            with lanes.lock:
                self._starting = False
                if not lanes.closed:
                    self._plan_start()

    def _open_in(self, process: Process, handle: int, argument: Mapping[str, Any]) -> None:
        lane = process.add_lane(monotonic()) if process.many else process.idle.pop()
        process.lanes += process.many
        question = (k.OPEN, handle, 0, None, {**argument, "existing": None}, process.anything)
        try:
            answer = lane.exchange_within(self._limits.start, *question)
        except LaneFault as fault:
            raise process.error(fault) from None
        process.idle.append(lane)
        if isinstance(answer.result, Failure):
            raise answer.result.revive(self._who)
