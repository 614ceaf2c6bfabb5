"""Makes and removes claims of service storage beside other processes: `working.py DATA WHO [ROOT]`."""

from __future__ import annotations

import sys
from pathlib import Path

from statehold.testing import open_storage
from statehold_aos.service_storage import provider

data, who, *root = sys.argv[1:]
config = {"Root": root[0]} if root else {"Backend": "accounting"}
with open_storage(provider, data_folder=Path(data), config=config) as storage:
    for number in range(20):
        key = storage.key(1, Service=f"service-{number % 3}", Users=f"{who}-{number}")
        storage.insert(key, {})
        assert storage.storage.folder(key).is_dir()
        if number % 2:
            storage.update(key, storage.facade.get(key), {"Removed": True})
