from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from statehold.loading._entries import Entry
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar.host._plugin import SidecarPlugin
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Zygote
from statehold.sdk import FreedError

_NO_LIMITS: Final = Limits()


class Sidecars:
    """Runs plugins in processes of their own, for one host; `close()` ends all of them.

    Nothing is started before the first plugin is loaded. From then on there is one thread, and one process
    that forks the others; when this process ends, however that happens, all of them end with it.

    Args:
        logger: takes what sidecars say before a storage of theirs is open.

    """

    def __init__(self, *, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger(__name__)
        self._lock = threading.RLock()
        self._supervisor: Supervisor | None = None
        self._zygote: Zygote | None = None
        self._closed = False

    def load_file(
        self, path: Path, *, owner: str, sha256: str | None = None, limits: Limits = _NO_LIMITS
    ) -> SidecarPlugin:
        """Load the plugin file at *path*, a wheel or a zip.

        *owner*, such as `acme.bills 1.2`, says in errors whose plugin it is; *sha256* is verified, if given,
        against the bytes that are loaded.

        Raises:
            PluginError: it cannot be loaded, as `statehold.loading.load_plugin` says it.
            SidecarError: its process cannot be started, or failed.

        """
        job = {
            "kind": "file",
            "who": path.name,
            "path": str(path.absolute()),
            "sha256": sha256,
            "owner": owner,
        }
        return self._load(job, owner, limits)

    def load_installed(
        self, entries: Iterable[Entry], *, owner: str, limits: Limits = _NO_LIMITS
    ) -> SidecarPlugin:
        """Load providers that are installed beside Statehold, by their entry points.

        Raises:
            PluginError: one of them cannot be loaded.
            SidecarError: its process cannot be started, or failed.

        """
        told = [
            (each.name, each.value, f"storage {each.name!r} ({each.value}) of {each}") for each in entries
        ]
        who = ", ".join(name for name, *_ in told)
        return self._load({"kind": "installed", "who": who, "entries": told}, owner, limits)

    def load_executable(
        self, path: Path, *, owner: str, sha256: str | None = None, limits: Limits = _NO_LIMITS
    ) -> SidecarPlugin:
        """Start the executable at *path*, which speaks the protocol of `docs/sidecar-protocol.md` itself.

        Raises:
            SidecarError: it cannot be started, or does not speak it.

        """
        job = {
            "kind": "executable",
            "who": path.name,
            "path": str(path.absolute()),
            "sha256": sha256,
        }
        return self._load(job, owner, limits)

    def close(self) -> None:
        """End every sidecar, and what starts and watches them."""
        with self._lock:
            self._closed = True
            supervisor, self._supervisor = self._supervisor, None
            zygote, self._zygote = self._zygote, None
        if supervisor is not None:
            if zygote is not None:
                supervisor.call(zygote.end)
            supervisor.close()

    def _load(self, job: dict[str, Any], owner: str, limits: Limits) -> SidecarPlugin:
        with self._lock:
            self._check_open()
            if self._supervisor is None:
                self._supervisor = Supervisor(self._logger)
        return SidecarPlugin(
            job,
            owner=owner,
            supervisor=self._supervisor,
            zygote=self._running_zygote,
            limits=limits,
            logger=self._logger,
        )

    def _running_zygote(self) -> Zygote:
        with self._lock:
            self._check_open()
            supervisor = self._supervisor
            if self._zygote is None and supervisor is not None:
                # On the thread that lives as long as the host: the kernel watches it.
                self._zygote = supervisor.call(lambda: Zygote(supervisor, self._logger, self._lost))
            assert self._zygote is not None  # noqa: S101 - checked to be open
            return self._zygote

    def _lost(self, zygote: Zygote) -> None:
        if self._zygote is zygote:
            self._zygote = None

    def _check_open(self) -> None:
        if self._closed:
            raise FreedError("the sidecars of this host have been closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
