from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, final

from statehold.loading import Entry, runs_in, why_inprocess
from statehold.sdk import Provider

if TYPE_CHECKING:
    from statehold.loading.sidecar import Sidecars

ISOLATIONS: Final = ("inprocess", "sidecar", "wasm")
_APP: Final = "test.app"


class UnsuitedError(Exception):
    """A provider cannot run where its tests are to run; says why."""


@final
class Isolations:
    """Puts providers behind another boundary; the processes that start sidecars live as long as it does."""

    def __init__(self) -> None:
        self._sidecars: dict[str, Sidecars] = {}

    @contextmanager
    def placed(
        self,
        provider: Provider,
        isolation: str,
        *,
        folder: Path,
        allowances: Mapping[str, Any] | None,
        storages: Mapping[str, Any] | None,
    ) -> Iterator[Provider]:
        """Yield *provider* as it is where it runs so, or another one whose storages live in a sidecar.

        Args:
            provider: a provider that is imported, or that a module or a sidecar has.
            isolation: `inprocess`, `sidecar` or `wasm`.
            folder: where the data folders of its storages will be.
            allowances: of them, `network` are the hosts that the sandbox lets it reach.
            storages: those that it requires, which live in this process.

        Raises:
            UnsuitedError: it cannot run so.

        """
        own = runs_in(provider)
        if own == isolation:
            yield provider
            return
        if own != "inprocess" or isolation != "sidecar":
            what = {"inprocess": "Python", "wasm": "a module"}.get(own, "in a sidecar already")
            raise UnsuitedError(f"{provider.name} is {what}: it does not run as {isolation}")
        why = why_inprocess(provider)
        if why:
            raise UnsuitedError(f"{provider.name} runs in the host alone: {why}")
        if storages:
            raise UnsuitedError(f"{provider.name} requires storages that its tests open in this process")
        module, name = _home(provider)
        entry = Entry(
            name=provider.name, value=f"{module.__name__}:{name}", distribution="", version="", location=""
        )
        network = [host for host in (allowances or {}).get("network", ()) if isinstance(host, str)]
        with self._loading(module) as sidecars:
            plugin = sidecars.load_installed(
                [entry], owner=f"{_APP} 1", data_folders=[folder], network=network
            )
        with plugin:
            yield plugin.providers[provider.name]

    def hand_over(self, folder: Path) -> None:
        """Give a folder that was made for a storage to the user that its sidecar runs as."""
        from statehold.loading.sandbox import app_uid  # noqa: PLC0415 - for those that are shut in

        if not os.geteuid():
            os.chown(folder, app_uid(_APP), app_uid(_APP))

    def close(self) -> None:
        """End all processes."""
        for sidecars in self._sidecars.values():
            sidecars.close()
        self._sidecars.clear()

    @contextmanager
    def _loading(self, module: ModuleType) -> Iterator[Sidecars]:
        """Yield what loads *module* in a sidecar, which knows the folders that it is imported from."""
        from statehold.loading.sidecar import Sidecars  # noqa: PLC0415 - for those that are shut in

        root = _root(module)
        before = list(sys.path)
        if root not in sys.path:
            sys.path.insert(0, root)
        try:
            yield self._sidecars.setdefault(root, Sidecars())
        finally:
            sys.path[:] = before


def _home(provider: Provider) -> tuple[ModuleType, str]:
    """Return the module that has *provider*, and its name there: where its `open` is from, if that has it."""
    opening = sys.modules.get(getattr(provider.open, "__module__", ""))
    # To look through all modules takes a while.
    found = _within(opening, provider) or [
        one for module in list(sys.modules.values()) for one in _within(module, provider)
    ]
    if not found:
        raise UnsuitedError(
            f"{provider.name} is made while the tests run: no module has it under a name to import it by"
        )
    return found[0]


def _within(module: ModuleType | None, provider: Provider) -> list[tuple[ModuleType, str]]:
    # Not all that is among the modules is one.
    names = list(getattr(module, "__dict__", {}).items())
    return [(module, name) for name, value in names if module is not None and value is provider]


def _root(module: ModuleType) -> str:
    """Return the folder that a module's package is imported from."""
    folder = Path(module.__file__ or "").absolute().parent
    depth = module.__name__.count(".") + (Path(module.__file__ or "").stem == "__init__")
    return str(folder.parents[depth - 1] if depth else folder)
