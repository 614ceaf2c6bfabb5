"""The server of 0-db: `statehold zdb serve`.

It runs on one event loop, uvloop's. Measured against others, what counts is how little is done for each
request in
Python: requests are split by C (`_protocol`), those that come at once are done at once and share a write, a
sync and a send (`_connection`), and answers to GETs of small payloads are kept as they are sent (`_hot`).
"""

from __future__ import annotations

from statehold_zdb.server._executable import Executable
from statehold_zdb.server._run import run
from statehold_zdb.server._server import Server, ServerOptions

__all__ = ["Executable", "Server", "ServerOptions", "run"]
