from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from statehold.loading._entries import Entry
from statehold.loading.sandbox import Broker
from statehold.loading.sidecar._boundary import Boundary
from statehold.loading.sidecar._limits import Limits
from statehold.loading.sidecar.host._plugin import Home, SidecarPlugin
from statehold.loading.sidecar.host._supervisor import Supervisor
from statehold.loading.sidecar.host._zygote import Zygote
from statehold.sdk import FreedError

_NO_LIMITS: Final = Limits()

Folders = Iterable[Path] | Callable[[], Iterable[Path]]


class Sidecars:
    """Runs plugins in processes of their own, for one host; `close()` ends all of them.

    Nothing is started before the first plugin is loaded. From then on there is one thread, and one process
    that forks the others; when the host ends, however that happens, all of them end with it.

    Args:
        logger: takes what sidecars say before a storage of theirs is open.
        sandbox: whether they are shut in: each with a user of its app, its data folders, no network but
            what is granted, no other process. Only for plugins that are trusted as the host itself is.
        required: whether a machine on which the sandbox is incomplete starts none; otherwise `lacking` of a
            plugin tells what is missing.
        share: whether they give memory back that is as in the process that forks them, where that can be.
        private: folders of the host, such as that of its data: a sidecar finds its own of them only.

    """

    def __init__(
        self,
        *,
        logger: logging.Logger | None = None,
        sandbox: bool = True,
        required: bool = False,
        share: bool = True,
        private: Iterable[Path] = (),
    ) -> None:
        self._private = tuple(private)
        self._logger = logger or logging.getLogger(__name__)
        self._sandbox = sandbox
        self._required = required
        self._share = share
        self._lock = threading.RLock()
        self._home: Home | None = None
        self._zygote: Zygote | None = None
        self._closed = False

    def load_file(
        self,
        path: Path,
        *,
        owner: str,
        sha256: str | None = None,
        data_folders: Folders = (),
        network: Iterable[str] = (),
        limits: Limits = _NO_LIMITS,
        logger: logging.Logger | None = None,
        name: str | None = None,
        required: bool = False,
    ) -> SidecarPlugin:
        """Load the plugin file at *path*, a wheel or a zip.

        Args:
            path: the file.
            owner: the app and its version, `acme.bills 1.2`: whose plugin it is.
            sha256: the digest of the file, verified against the bytes that are loaded.
            data_folders: the folders that its storages will have, which exist; a function is asked for them
                when the first storage is opened.
            network: the hosts that it may connect to, `host` or `host:port`.
            limits: what its processes may take.
            logger: takes what they say before a storage is open, and where errors came from.
            name: what errors call the file; by default its own name.
            required: whether it is not to be started in an incomplete sandbox, whatever the others are.

        Raises:
            PluginError: it cannot be loaded, as `statehold.loading.load_plugin` says it.
            SidecarError: its process cannot be started, or failed.

        """
        job = _file("file", path, sha256, owner, name)
        boundary = _boundary(owner, data_folders, network, read_only=(path.absolute(),))
        return self._load(job, boundary, owner, limits, logger, required=required)

    def load_installed(
        self,
        entries: Iterable[Entry],
        *,
        owner: str,
        data_folders: Folders = (),
        network: Iterable[str] = (),
        limits: Limits = _NO_LIMITS,
        logger: logging.Logger | None = None,
        required: bool = False,
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
        job = {"kind": "installed", "who": who, "entries": told, "owner": owner}
        boundary = _boundary(owner, data_folders, network)
        return self._load(job, boundary, owner, limits, logger, required=required)

    def load_executable(
        self,
        path: Path,
        *,
        owner: str,
        sha256: str | None = None,
        interpreters: Iterable[Path] = (),
        data_folders: Folders = (),
        network: Iterable[str] = (),
        limits: Limits = _NO_LIMITS,
        logger: logging.Logger | None = None,
        name: str | None = None,
        required: bool = False,
    ) -> SidecarPlugin:
        """Start the executable at *path*, which speaks the protocol of `docs/sidecar-protocol.md` itself.

        *interpreters* are what a script needs to run.

        Raises:
            SidecarError: it cannot be started, or does not speak it.

        """
        executables = (path.absolute(), *interpreters)
        boundary = _boundary(owner, data_folders, network, executables=executables)
        job = _file("executable", path, sha256, owner, name)
        return self._load(job, boundary, owner, limits, logger, required=required)

    def close(self) -> None:
        """End every sidecar, and what starts and watches them."""
        with self._lock:
            self._closed = True
            home, self._home = self._home, None
            zygote, self._zygote = self._zygote, None
        if home is not None:
            if zygote is not None:
                home.supervisor.call(zygote.end)
            home.broker.close()
            home.supervisor.close()

    def _load(
        self,
        job: Mapping[str, Any],
        boundary: Boundary,
        owner: str,
        limits: Limits,
        logger: logging.Logger | None,
        *,
        required: bool,
    ) -> SidecarPlugin:
        with self._lock:
            self._check_open()
            if self._home is None:
                self._home = Home(
                    supervisor=Supervisor(self._logger),
                    zygote=self._running_zygote,
                    broker=Broker(logger=self._logger),
                    logger=self._logger,
                    sandbox=self._sandbox,
                    required=self._required,
                )
            home = self._home
        if logger is not None:
            home = attrs.evolve(home, logger=logger)
        if required:
            home = attrs.evolve(home, required=True)
        boundary = attrs.evolve(boundary, private=self._private)
        return SidecarPlugin(job, boundary, owner=owner, limits=limits, home=home)

    def _running_zygote(self) -> Zygote:
        with self._lock:
            self._check_open()
            home = self._home
            assert home is not None  # noqa: S101 - whoever asks is of it
            if self._zygote is None:
                # On the thread that lives as long as the host: the kernel watches it.
                self._zygote = home.supervisor.call(
                    lambda: Zygote(
                        home.supervisor, self._logger, self._lost, sandboxed=self._sandbox, shares=self._share
                    )
                )
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


def _file(kind: str, path: Path, sha256: str | None, owner: str, name: str | None) -> Mapping[str, Any]:
    who = name or path.name
    return {"kind": kind, "who": who, "path": str(path.absolute()), "sha256": sha256, "owner": owner}


def _boundary(
    owner: str, data_folders: Folders, network: Iterable[str], **paths: tuple[Path, ...]
) -> Boundary:
    folders = data_folders if callable(data_folders) else tuple(data_folders)
    return Boundary(app=owner.partition(" ")[0], data_folders=folders, network=tuple(network), **paths)
