"""Changes service storage in one batch, and is killed at a moment of it: `crash.py DATA MOMENT [ROOT]`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from statehold.testing import open_storage
from statehold_aos._service_storage import _book, _folders
from statehold_aos.service_storage import provider

data, moment, *root = sys.argv[1:]
config = {"Root": root[0]} if root else {"Backend": "accounting"}
with open_storage(provider, data_folder=Path(data), config=config) as storage:
    target, name = {
        "recorded": (_folders.Folders, "bring"),
        "made": (type(storage.storage.backend), "keeps"),
        "limited": (_folders, "_give"),
        "usable": (_book.Book, "settle"),
        "in force": (_folders.Folders, "remove"),
    }[moment]

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(target, name, die)
    ann = storage.key(1, Service="radio", Users='["ann"]')
    storage.apply(
        [
            storage.facade.insert(storage.key(1, Service="radio", Users='["bob"]'), {}),
            storage.facade.insert(storage.key(1, Service="map", Users='["bob"]'), {"Mode": 0o750}),
            storage.facade.update(ann, storage.facade.get(ann), {"Removed": True}),
        ]
    )
