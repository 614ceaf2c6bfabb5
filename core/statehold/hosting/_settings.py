from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from statehold.hosting._sandbox import SidecarHome
from statehold.hosting._services import Services
from statehold.sdk import Clock


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()


@attrs.frozen(kw_only=True, eq=False)
class HostSettings:
    """What a host was told when it was made; see `Host`.

    Where it is *rehearsing*, plugins in Python run in this process, wherever they are to run.
    Where what runs apart is *untrusted*, it does so in a complete sandbox or not at all.
    """

    data_folder: Path
    secrets_folder: Path | None
    environ: Mapping[str, str]
    free_timeout: float
    pending_timeout: float
    clock: Clock
    logger: logging.Logger
    count_calls: bool
    time_calls: bool | None
    slow_open: float
    services: Services
    sidecars: SidecarHome
    rehearsing: bool = False
    untrusted: bool = False

    def storage_folder(self, app: str, partition: int, storage: str) -> Path:
        """Return where a storage keeps its files."""
        return self.data_folder / "apps" / app / str(partition) / storage
