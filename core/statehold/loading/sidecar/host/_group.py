from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Decode, decoder
from statehold.loading.sidecar._errors import SidecarError
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.host._breaker import Breaker
from statehold.loading.sidecar.host._handles import Handles
from statehold.loading.sidecar.host._keeper import Keeper
from statehold.loading.sidecar.host._lane import LaneFault
from statehold.loading.sidecar.host._lanes import Lanes
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Zygote

#: How much longer than a call it may take to free a storage, seconds: its work has the time of one to end.
_MORE: Final = 0.5


class Group:
    """What asks the process that serves some partitions of a version, or the one that follows when it fails.

    Attributes:
        lanes: those of the process that runs.
        handles: the numbers of the storages in it.
        objects: makes records of what it sends.
        anything: decodes answers without a schema.

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
    ) -> None:
        self.limits = limits
        self.objects = Objects()
        self.anything = decoder(Any, self.objects)
        self.handles = Handles(logger)
        self._who = who
        self._logger = logger
        self._breaker = Breaker(monotonic)
        self.lanes = Lanes(who, limits, self._breaker)
        self._keeper = Keeper(
            who,
            job,
            broker=broker,
            supervisor=supervisor,
            zygote=zygote,
            limits=limits,
            logger=logger,
            objects=self.objects,
            lanes=self.lanes,
            handles=self.handles,
            breaker=self._breaker,
        )

    # -- Calls --------------------------------------------------------------------------------------------

    def ask(  # noqa: PLR0917 - on the way of every call
        self,
        kind: int,
        handle: int,
        schema: int,
        call: Any,
        argument: Any,
        decode: Decode,
        again: bool,  # noqa: FBT001 - on the way of every call
    ) -> Any:
        """Return the answer to a question; with *again*, it is asked once more if the sidecar fails.

        Raises:
            SidecarError: there is none.
            Exception: what the storage raised.

        """
        started = monotonic()
        left = 0.0
        lanes = self.lanes
        try:
            lane = lanes.idle.pop()
        except IndexError:
            lane = lanes.take(started)
            left = started + self.limits.deadline - monotonic()
        try:
            if left:
                answer = lane.exchange_within(left, kind, handle, schema, call, argument, decode)
            else:
                answer = lane.exchange(kind, handle, schema, call, argument, decode, started)
        except LaneFault as fault:
            error = lanes.give_up(lane, fault, unknown=kind == k.APPLY and not fault.unsent)
            if not (again or fault.unsent):
                raise error from None
            answer = self._once_more(kind, handle, schema, call, argument, decode, started, error)
        except Exception:
            # Nothing was sent: the question itself cannot be.
            lanes.give_back(lane)
            raise
        except BaseException:
            lanes.drop(lane)
            raise
        else:
            if lane.process.watched:
                lanes.give_back(lane)
            else:
                lane.home.append(lane)
                if lane.process.watched:
                    lanes.released(lane.process)
        if answer.result.__class__ is Failure:
            raise self.revived(answer.result)
        return answer

    def _once_more(  # noqa: PLR0917 - on the way of every call
        self,
        kind: int,
        handle: int,
        schema: int,
        call: Any,
        argument: Any,
        decode: Decode,
        started: float,
        error: SidecarError,
    ) -> Any:
        left = started + self.limits.deadline - monotonic()
        if left <= 0:
            raise error
        lanes = self.lanes
        try:
            lane = lanes.take(started)
        except SidecarError:
            raise error from None
        left = started + self.limits.deadline - monotonic()
        try:
            answer = lane.exchange_within(left, kind, handle, schema, call, argument, decode)
        except LaneFault as fault:
            unknown = kind == k.APPLY and not fault.unsent
            raise lanes.give_up(lane, fault, unknown=unknown) from None
        except BaseException:
            lanes.drop(lane)
            raise
        lanes.give_back(lane)
        return answer

    def revived(self, failure: Failure) -> Exception:
        """Return the exception that the storage raised."""
        if failure.trace and self._logger.isEnabledFor(logging.DEBUG):
            self._logger.debug("%s raised:\n%s", self._who, failure.trace)
        return failure.revive(self._who)

    def free(self, name: str, handle: int) -> None:
        """Free a storage; where its process has ended, nothing is left to free."""
        logger = self.handles.freed(handle)
        lanes = self.lanes
        if not self.is_running:
            return
        started, deadline = monotonic(), self.limits.deadline
        lane = lanes.take(started)
        left = started + deadline + _MORE - monotonic()
        try:
            answer = lane.exchange_within(left, k.FREE, handle, 0, None, deadline, self.anything)
        except LaneFault as fault:
            raise lanes.give_up(lane, fault) from None
        except BaseException:
            lanes.drop(lane)
            raise
        lanes.give_back(lane)
        if isinstance(answer.result, Failure):
            raise self.revived(answer.result)
        for problem in answer.result or ():
            logger.warning("%s: %s", name, problem)

    # -- The process --------------------------------------------------------------------------------------

    def start(self) -> Any:
        """Start the process, and return what its plugin is."""
        return self._keeper.start()

    def close(self) -> None:
        """End the process, for good."""
        self._keeper.close()

    @property
    def starts(self) -> int:
        """How often a process of it has been started."""
        return self._keeper.starts

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._keeper.is_running

    @property
    def is_broken(self) -> bool:
        """Whether it has failed so often that it is left alone for a while."""
        return self._breaker.open

    @property
    def pidfd(self) -> int:
        """The descriptor of the process, as long as it runs; -1 if there is none."""
        process = self.lanes.process
        return -1 if process is None else process.pidfd
