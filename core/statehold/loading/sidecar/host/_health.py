from __future__ import annotations

import threading
import weakref
from time import monotonic
from typing import TYPE_CHECKING, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar.host._lane import LaneFault

if TYPE_CHECKING:
    from statehold.loading.sidecar.host._group import Group
    from statehold.loading.sidecar.host._process import Process
    from statehold.loading.sidecar.host._supervisor import Supervisor

#: How often a process is asked whether it still answers, seconds.
_PERIOD: Final = 30.0


def look_after(group: Group, process: Process, supervisor: Supervisor) -> None:
    """Ask *process* now and then whether it still answers, so that no caller is the first to notice.

    Lanes that nobody has used since the last time are closed, but for one.
    """
    # Weakly: a group that is freed is not kept until it would have been asked.
    its_group, itself = weakref.ref(group), weakref.ref(process)

    def begin() -> None:
        found = itself()
        if found is not None and not found.dead:
            threading.Thread(target=ask, name=f"{found.who} is asked", daemon=True).start()

    def ask() -> None:
        asked, served = its_group(), itself()
        if asked is not None and served is not None:
            check(asked)
            asked.close_quiet(served)
            look_after(asked, served, supervisor)

    supervisor.at(monotonic() + _PERIOD, begin)


def check(group: Group) -> None:
    """End the process of *group* if it answers no more; where all lanes are in use, those calls notice."""
    try:
        lane = group.idle.pop()
    except IndexError:
        return
    question = (k.PING, 0, 0, None, None, group.anything)
    try:
        lane.exchange_within(group.limits.deadline, *question)
    except LaneFault as fault:
        group.give_up(lane, fault)
    else:
        group.give_back(lane)
