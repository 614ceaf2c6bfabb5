"""Shuts this process in."""

from __future__ import annotations

import socket
from collections.abc import Collection

from statehold.loading.sandbox._lack import Lack
from statehold.loading.sandbox._policy import Policy
from statehold.loading.sandbox._prepare import Prepared


def enter(
    policy: Policy,
    *,
    prepared: Prepared | None = None,
    keep: Collection[int] = (),
    channel: socket.socket | None = None,
    required: bool = False,
) -> tuple[Lack, ...]:
    """Shut this process in, irrevocably; return what could not be applied.

    For a freshly forked child with one thread, before it runs anything that is not trusted. Descriptors other than 0, 1,
    2 and *keep* are closed. *prepared* is what the parent's `prepare` returned. *channel* is this process's end of the
    socket pair of `Broker.serve`, needed if the policy grants hosts; it is closed here.

    Raises SandboxError if the process cannot be shut in at all (it has several threads, a folder of the policy does
    not exist), and with *required* also if any layer is lacking. End the process then: some layers may be applied.
    """
    raise NotImplementedError
