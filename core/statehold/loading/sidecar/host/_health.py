from __future__ import annotations

import threading
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar.host._lane import LaneFault

if TYPE_CHECKING:
    from statehold.loading.sidecar.host._lanes import Lanes
    from statehold.loading.sidecar.host._process import Process
    from statehold.loading.sidecar.host._supervisor import Supervisor

#: How often a process is asked whether it still answers, seconds.
_PERIOD: Final = 30.0


def look_after(lanes: Lanes, process: Process, supervisor: Supervisor) -> None:
    """Ask *process* now and then whether it still answers, so that no caller is the first to notice.

    Lanes that nobody has used since the last time are closed, but for one.
    """
    # Weakly: what is freed is not kept until it would have been asked.
    its_lanes, itself = weakref.ref(lanes), weakref.ref(process)

    def begin() -> None:
        found = itself()
        if found is not None and not found.dead:
            threading.Thread(target=ask, name=f"{found.who} is asked", daemon=True).start()

    def ask() -> None:
        asked, served = its_lanes(), itself()
        if asked is not None and served is not None:
            check(asked)
            asked.close_quiet(served)
            look_after(asked, served, supervisor)

    supervisor.at(monotonic() + _PERIOD, begin)


def check(lanes: Lanes) -> None:
    """End the process of *lanes* if it answers no more; where all of them are in use, those calls notice."""
    try:
        lane = lanes.idle.pop()
    except IndexError:
        return
    question = (k.PING, 0, 0, None, None, lane.process.anything)
    try:
        lane.exchange_within(lanes.limits.deadline, *question)
    except LaneFault as fault:
        lanes.give_up(lane, fault)
    else:
        lanes.give_back(lane)
