"""What this machine has for a sandbox."""

from __future__ import annotations

import attrs

from statehold.loading.sandbox._lack import Lack


@attrs.frozen(kw_only=True)
class Capabilities:
    """What of the sandbox works on this machine, for this user."""

    machine: str
    """As `uname -m` says it."""

    is_root: bool
    """Whether the host may give processes a user id of their own."""

    landlock: int
    """The version of Landlock's interface; 0: none."""

    seccomp: bool
    notifications: bool
    """Whether seccomp can ask the host, which granted hosts need."""

    namespaces: frozenset[str]
    """Those that a process can have of its own: user, mnt, net, ipc, uts, pid."""

    lacking: tuple[Lack, ...]
    """Layers that a policy without grants would miss here; empty: nothing."""


def capabilities() -> Capabilities:
    """Try the sandbox in a short process of its own (some 50 ms) and say what works; ask once, at a deploy."""
    raise NotImplementedError
