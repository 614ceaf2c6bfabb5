"""0-db namespaces, each with its size, mode and password from its first moment on, on servers kept running.

Each pool with namespaces has one 0-db server, in a folder of its own that is as large as they need. A server
is a process of its own and outlives whoever started it; any number of processes find it by its socket.
"""

from __future__ import annotations

from statehold_zos.namespaces._namespaces import Namespaces
from statehold_zos.namespaces._report import NamespaceReport
from statehold_zos.namespaces._room import SERVER_ROOM, room_of

__all__ = ["SERVER_ROOM", "NamespaceReport", "Namespaces", "room_of"]
