"""What a process does once, so that its children enter the sandbox faster."""

from __future__ import annotations

import attrs

from statehold.loading.sandbox._lack import Lack


@attrs.frozen
class Prepared:
    """What a process has left behind already, and its children with it."""

    namespaces: frozenset[str] = frozenset()
    """Those that are new: user, net, ipc, uts, pid."""

    lacking: tuple[Lack, ...] = ()


def prepare(*, pid_namespace: bool = False) -> Prepared:
    """Leave the network and the other namespaces of the host, irrevocably, with all later children.

    For a process with one thread that needs no network itself. Without privileges it becomes the root of a user
    namespace of its own, which gives its children the rest. With *pid_namespace*, the next child that it forks is
    pid 1 of a new one: it and its descendants see only each other, and all end with it. What could not be done is in
    `lacking`; `enter` tries again, and goes on without.
    """
    raise NotImplementedError
