"""What the Service Manager of AOS keeps for its services, as storages.

`statehold_aos.database` is its database for Python; here are the storages that stand on it.
"""

from __future__ import annotations

from typing import Final

from statehold.sdk import Provider
from statehold_aos._databases import Databases, Lease
from statehold_aos._providers import make_providers
from statehold_aos._storage._config import AosConfig
from statehold_aos.launcher import make_provider as make_launcher
from statehold_aos.service_state import make_provider

__all__ = ["AosConfig", "Databases", "Lease", "make_providers"]

_DATABASES: Final = Databases()
_PROVIDERS: Final = make_providers(_DATABASES)
config: Final[Provider] = _PROVIDERS["Config"]
services: Final[Provider] = _PROVIDERS["Services"]
users: Final[Provider] = _PROVIDERS["Users"]
traffic_monitor: Final[Provider] = _PROVIDERS["TrafficMonitor"]
layers: Final[Provider] = _PROVIDERS["Layers"]
service_state: Final[Provider] = make_provider(_DATABASES)
launcher_provider: Final[Provider] = make_launcher(_DATABASES)
