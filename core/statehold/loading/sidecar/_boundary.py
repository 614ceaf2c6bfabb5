from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from statehold.loading.sandbox import Policy, app_uid
from statehold.loading.sidecar._limits import Limits

_MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class Boundary:
    """What the processes of a plugin may reach.

    Attributes:
        app: whose data it is, `owner.app`: the processes of an app have a user of their own.
        data_folders: the folders of its storages, which exist; a function is asked when the first storage is
            opened, because until then nobody may know them.
        read_only: further files and folders that it may read.
        executables: what it may execute.
        private: where the host keeps the data of all apps: of it, nothing but the data folders is there.
        network: the hosts that it may connect to, `host` or `host:port`.

    """

    app: str
    data_folders: Iterable[Path] | Callable[[], Iterable[Path]] = ()
    read_only: tuple[Path, ...] = ()
    executables: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()
    network: tuple[str, ...] = ()

    @property
    def later(self) -> bool:
        """Whether the data folders are known only when a storage is opened."""
        return callable(self.data_folders)

    def policy(self, limits: Limits, *, serves: bool) -> dict[str, Any]:
        """Return the arguments of the sandbox's `Policy`; what serves no storage yet has no data folders.

        Raises:
            ValueError: a path or a host is none.

        """
        folders: Iterable[Path] = ()
        if not callable(self.data_folders):
            folders = self.data_folders
        elif serves:
            folders = self.data_folders()
        policy: dict[str, Any] = {
            "data_folders": tuple(folders),
            "read_only": self.read_only,
            "executables": self.executables,
            "private": self.private,
            "network": self.network,
            "uid": app_uid(self.app),
            "cpu_seconds": limits.cpu_seconds,
        }
        if limits.memory_mib is not None:
            policy["memory_bytes"] = limits.memory_mib * _MIB
        for name in ("open_files", "processes"):
            value = getattr(limits, name)
            if value is not None:
                policy[name] = value
        Policy(**policy)
        return {name: [*map(str, value)] if type(value) is tuple else value for name, value in policy.items()}
