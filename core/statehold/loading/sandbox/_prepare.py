"""What a process does once, so that its children enter the sandbox faster."""

from __future__ import annotations

import os

import attrs

from statehold.loading.sandbox._calls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    Calls,
)
from statehold.loading.sandbox._filter import Allowed, template
from statehold.loading.sandbox._identity import own_user_namespace
from statehold.loading.sandbox._lack import Lack
from statehold.loading.sandbox._paths import Needed, needed

EMPTY = {"net": CLONE_NEWNET, "ipc": CLONE_NEWIPC, "uts": CLONE_NEWUTS}


@attrs.frozen
class Prepared:
    """What a process has left behind already, and its children with it."""

    namespaces: frozenset[str] = frozenset()
    """Those that are new: user, net, ipc, uts, pid."""

    lacking: tuple[Lack, ...] = ()
    known: Known | None = attrs.field(default=None, repr=False)
    """What a child need not find out again."""


@attrs.frozen
class Known:
    """What is the same for all processes in the sandbox."""

    calls: Calls
    python: Needed
    filter: bytes
    """Without grants; that of a process differs by its pid."""


def known() -> Known:
    """Find it out; OSError if the sandbox does not know this kind of machine."""
    calls = Calls()
    return Known(calls, needed(), template(calls.machine, Allowed()))


def prepare(*, pid_namespace: bool = False) -> Prepared:
    """Leave the network and the other namespaces of the host, irrevocably, with all later children.

    For a process with one thread that needs no network itself. Without privileges it enters a user namespace
    of its own, which gives its children the rest. With *pid_namespace*, the next child that it forks is pid 1
    of a new one: it and its descendants see only each other, and all end with it. What could not be done is
    in `lacking`; `enter` tries again, and goes on without.
    """
    try:
        common = known()
    except OSError as error:
        return Prepared(lacking=(Lack("namespaces", str(error)),))
    calls = common.calls
    wanted = {**EMPTY, "pid": CLONE_NEWPID} if pid_namespace else dict(EMPTY)
    done = set()
    lacking = []
    if os.geteuid() != 0:
        try:
            own_user_namespace(calls, CLONE_NEWUSER)
            done.add("user")
        except OSError as error:
            return Prepared(lacking=(Lack("user namespace", str(error)),), known=common)
    for name, flag in wanted.items():
        try:
            calls("unshare", flag)
            done.add(name)
        except OSError as error:
            lacking.append(Lack(f"{name} namespace", str(error)))
    return Prepared(frozenset(done), tuple(lacking), common)
