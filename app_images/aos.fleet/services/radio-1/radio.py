"""Radio: its state is the station, in a folder of its own. It plays until it is switched off."""

import os
import signal
import sys
from pathlib import Path

STATE = Path(os.environ["AOS_STATE_FILE"])


def off(*_):
    """Remember when it was switched off: the last change of all, and it counts as well."""
    STATE.write_text(STATE.read_text().splitlines()[0] + "\nswitched off")
    print("off", flush=True)
    sys.exit(0)


signal.signal(signal.SIGTERM, off)
if not STATE.exists():
    STATE.write_text("101.3 MHz")
print(f"plays {STATE.read_text().splitlines()[0]} for {os.environ['AOS_USERS']}", flush=True)
while True:
    signal.pause()
