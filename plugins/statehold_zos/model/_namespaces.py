from __future__ import annotations

from enum import Enum
from pathlib import Path

import attrs

from statehold_zos.model._policies import DiskType, Mode


class NamespaceState(Enum):
    """How far a namespace is.

    `PENDING`: being made, nobody can reach it. `READY`: may be used. `FROZEN`: can be read only.
    `RELEASED`: frozen until its grace time is over, then deleted. `GONE`: its server does not run now.
    """

    PENDING = "pending"
    READY = "ready"
    FROZEN = "frozen"
    RELEASED = "released"
    GONE = "gone"


@attrs.frozen(kw_only=True)
class ZdbNamespace:
    """A namespace of a 0-db that runs on a pool.

    Attributes:
        id: its name, for `release` and on the server.
        disk_type: of the disks it is on.
        size: payload bytes it may hold.
        mode: how keys come about.
        port: where its server listens, on *host*.
        host: the address.
        socket: the UNIX socket of its server.
        pool: the id of its pool.
        used: payload bytes it holds.
        state: see `NamespaceState`.
        owner: who asked for it, "" for the operator.
        name: how the owner calls it, "" for not at all.

    """

    id: str
    disk_type: DiskType
    size: int
    mode: Mode
    port: int
    host: str
    socket: Path
    pool: str
    used: int = 0
    state: NamespaceState = NamespaceState.READY
    owner: str = ""
    name: str = ""
