"""A host over AMQP that can be killed: `amqp_host.py DATABASE FOLDER URL`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "state"))

from lossy import open_states

from statehold_aos.database import Database
from statehold_aos.gateway import Options
from statehold_aos.gateway.amqp import AmqpGateway, AmqpTerms

if __name__ == "__main__":
    terms = AmqpTerms(patience=60.0, first=0.05, longest=0.5)
    with Database.open(sys.argv[1]) as opened:
        running = open_states(opened, Path(sys.argv[2]))
        running.connect(AmqpGateway(sys.argv[3], Options(system="u1"), terms))
        running.run(threading.Event())
