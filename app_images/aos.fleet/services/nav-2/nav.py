"""Navigation, version 2: the map may be dark at `night 1`. Its state is that of version 1, and more."""

import json
import os
import signal
import sys
from pathlib import Path

STATE = Path(os.environ["AOS_STATE_FILE"])
STORAGE = Path(os.environ["AOS_STORAGE_FOLDER"])
USUAL = {"zoom": 3, "night": False}


def say(text):
    print(text, flush=True)


def look():
    """Return the state: what is in the file now, whoever has written it."""
    try:
        return USUAL | json.loads(STATE.read_text())
    except (OSError, ValueError):
        return dict(USUAL)


def keep(state):
    """Replace the file as a whole, so that nobody reads half of it."""
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(state))
    new.replace(STATE)


def download(kilobytes):
    """Get a map. What does not fit is refused by the kernel, and given back."""
    place = STORAGE / f"map-{kilobytes}.bin"
    try:
        with place.open("wb") as file:
            for _ in range(kilobytes):
                file.write(os.urandom(1024))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        place.unlink()
        say(f"no room for a map of {kilobytes} KiB: {error.strerror}")
    else:
        say(f"got a map of {kilobytes} KiB")


def obey(word, value):
    if word == "zoom":
        keep(look() | {"zoom": int(value)})
        say(f"zoom is {value}")
    elif word == "night":
        keep(look() | {"night": value == "1"})
        say(f"night is {value}")
    elif word == "map":
        download(int(value))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    knob = STORAGE / "knob"
    if not knob.exists():
        os.mkfifo(knob)
    if not STATE.exists():
        keep(USUAL)
    say(f"navigation for {os.environ['AOS_USERS']}, zoom is {look()['zoom']}")
    # Read and write, so that it does not end when the one who has turned it lets go.
    with open(os.open(knob, os.O_RDWR), encoding="utf-8") as turned:
        for line in turned:
            word, _, value = line.strip().partition(" ")
            obey(word, value)


main()
