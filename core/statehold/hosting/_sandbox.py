from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from statehold.loading.sidecar import Sidecars


class Sandbox(StrEnum):
    """How a host shuts in what runs in sidecars."""

    #: A deploy fails where this machine lacks a layer of the sandbox.
    REQUIRED = "required"
    #: What this machine has is used, and a deploy warns of what it lacks.
    AVAILABLE = "available"
    #: Sidecars are processes of their own and nothing more: for plugins that are trusted as the host is.
    OFF = "off"


class SidecarHome:
    """The sidecars of a host; nothing of them is loaded or started before the first is asked for."""

    def __init__(self, sandbox: Sandbox, *, private: Iterable[Path], logger: logging.Logger) -> None:
        self.sandbox = sandbox
        self._private = tuple(private)
        self._logger = logger
        self._lock = threading.Lock()
        self._sidecars: Sidecars | None = None
        self._lacking: tuple[str, ...] | None = None

    def get(self) -> Sidecars:
        """Return what loads plugins into sidecars."""
        from statehold.loading.sidecar import Sidecars  # noqa: PLC0415 - for hosts that have some

        with self._lock:
            if self._sidecars is None:
                self._sidecars = Sidecars(
                    logger=self._logger,
                    sandbox=self.sandbox is not Sandbox.OFF,
                    required=self.sandbox is Sandbox.REQUIRED,
                    share=os.environ.get("STATEHOLD_SHARE_MEMORY") != "off",
                    private=self._private,
                )
            return self._sidecars

    @property
    def lacking(self) -> tuple[str, ...]:
        """What of the sandbox this machine lacks, in words."""
        if self.sandbox is Sandbox.OFF:
            return ("all: this host does not shut sidecars in (sandbox: off)",)
        from statehold.loading.sandbox import capabilities  # noqa: PLC0415 - for hosts that have some

        with self._lock:
            if self._lacking is None:
                self._lacking = tuple(map(str, capabilities().lacking))
            return self._lacking

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            sidecars, self._sidecars = self._sidecars, None
        if sidecars is not None:
            sidecars.close()
