"""A host whose states go over WebSocket, to be killed: `websocket_host.py DATABASE FOLDER URL`."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "state"))

from lossy import open_states

from statehold_aos.database import Database
from statehold_aos.gateway import Options
from statehold_aos.gateway._exchange import Terms
from statehold_aos.gateway._websocket import WebSocketGateway

if __name__ == "__main__":
    database, folder, url, authorities = sys.argv[1:]
    quiet = logging.Logger("host", logging.CRITICAL + 1)  # noqa: LOG001 - nobody is to hear it
    options = Options(system="unit-1", first=0.02, longest=0.2, authorities=Path(authorities), logger=quiet)
    with Database.open(database) as opened:
        running = open_states(opened, Path(folder))
        running.connect(WebSocketGateway(url, options, Terms(wait=0.5, tries=10)))
        running.run(threading.Event())
