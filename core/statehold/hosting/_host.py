from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from statehold.hosting._app import App
from statehold.hosting._matrix import Matrix
from statehold.hosting._status import AppStatus
from statehold.hosting._version import AppVersion
from statehold.sdk import Clock


class Host:
    """Runs apps out of one data folder: deploys their images, hands out partitions, frees what is replaced.

    Only one host at a time works on a data folder. Opening it brings back every app that was deployed.

    Args:
        data_folder: where the host keeps everything; created with mode 0700.
        secrets_folder: files with the apps' secrets, `<package>.<name>` or `<name>`.
        environ: where parameters and secrets are looked up that neither descriptor nor folder gives.
        apps: bring back only these apps; None for all of them.
        free_timeout: seconds that one storage may take to be freed.
        pending_timeout: seconds that a storage's pending hooks and background work may take to end.
        clock: the time that storages see.
        logger: where the host reports; `statehold.host` by default.
        count_calls: whether facades count their calls.
        progress: is called with a line of text at every step of a deploy.

    Raises:
        HostError: another process works on the folder, or it cannot be written.

    """

    def __init__(
        self,
        data_folder: Path,
        *,
        secrets_folder: Path | None = None,
        environ: Mapping[str, str] = os.environ,
        apps: Collection[str] | None = None,
        free_timeout: float = 10.0,
        pending_timeout: float = 10.0,
        clock: Clock | None = None,
        logger: logging.Logger | None = None,
        count_calls: bool = True,
    ) -> None:
        raise NotImplementedError

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong without stopping the host: versions that could not be brought back, and the like."""
        raise NotImplementedError

    def deploy(
        self, image: Path, *, activate: bool = True, progress: Callable[[str], None] | None = None
    ) -> AppVersion:
        """Open a new version of the image's app and make it current in one step.

        With `activate=False` the version is opened and stays beside the current one. Deploying what is
        deployed already changes nothing.

        Raises:
            ImageError: the image is damaged or hostile.
            CompileError: its declarations have errors.
            DescriptorError: its descriptor, a parameter or a secret is wrong.
            PluginError: a plugin cannot be found or loaded.
            DeployError: anything else that keeps it from running. What ran before goes on in every case.

        """
        raise NotImplementedError

    def activate(self, app: str, version: str) -> AppVersion:
        """Make a deployed version the current one, opening it first if it is closed."""
        raise NotImplementedError

    def rollback(self, app: str) -> AppVersion:
        """Make the version current that was current before."""
        raise NotImplementedError

    def undeploy(self, app: str, version: str | None = None) -> None:
        """Forget one version, or the whole app; the data folders of its storages stay."""
        raise NotImplementedError

    def apps(self) -> tuple[AppStatus, ...]:
        """Return every app that is deployed here, by name."""
        raise NotImplementedError

    def app(self, name: str) -> App:
        """Return a running app, or raise a HostError that names the nearest one."""
        raise NotImplementedError

    def matrix(self, app: str, version: str | None = None) -> Matrix:
        """Return what may be done with every storage of an app, in every scope."""
        raise NotImplementedError

    def close(self) -> None:
        """Free every version in turn and give the data folder back; further calls do nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
