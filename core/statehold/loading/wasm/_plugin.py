from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from statehold.loading._free import FreeReport
from statehold.loading.wasm._description import Description
from statehold.loading.wasm._limits import WasmLimits
from statehold.loading.wasm._module import Module, load_module
from statehold.loading.wasm._opening import provider_of
from statehold.loading.wasm._runtime import Runtime
from statehold.sdk import FreedError, PluginError, Provider

_USUAL: Final = WasmLimits()


class WasmPlugin:
    """The storages of one module, compiled and checked; of the same shape as a `LoadedPlugin`.

    Attributes:
        path: the module's file.
        owner: whom it was loaded for.
        distribution: what the module calls itself.
        version: its version.
        sha256: the digest of what was loaded.
        hooks: none: a module has no hooks.

    """

    def __init__(
        self,
        *,
        path: Path,
        owner: str,
        description: Description,
        module: Module,
        limits: WasmLimits,
    ) -> None:
        self.path = path
        self.owner = owner
        self.distribution = description.name
        self.version = description.version
        self.sha256 = module.sha256
        self.hooks: Mapping[str, object] = MappingProxyType({})
        self._description = description
        self._runtime = Runtime(module)
        self._report: FreeReport | None = None
        self._providers: Mapping[str, Provider] | None = MappingProxyType(
            {
                name: provider_of(storage, self._runtime, limits)
                for name, storage in description.storages.items()
            }
        )

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers by name."""
        if self._providers is None:
            raise FreedError(f"{self} has been freed")
        return self._providers

    def limited(self, name: str, limits: WasmLimits) -> Provider:
        """Return the provider called *name* of storages with limits of their own."""
        assert name in self.providers  # noqa: S101 - it is one of them
        return provider_of(self._description.storages[name], self._runtime, limits)

    def free(self) -> FreeReport:
        """End its thread and release the module; to be called when its storages have been freed.

        The report's `survivors` are instances that somebody still holds. A second call returns the same
        report.
        """
        if self._report is None:
            self._providers = None
            self._report = FreeReport(
                plugin=str(self),
                modules=(self.path.name,),
                problems=(),
                # A marker that nothing of Python carries: a module leaves nothing there.
                marker=f"\0{self.sha256}",
                watched=self._runtime.end(),
            )
        return self._report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()

    def __str__(self) -> str:
        """Return which module it is, and whose."""
        return f"module {self.distribution} {self.version} ({self.path.name}) of {self.owner}"

    def __del__(self) -> None:
        if getattr(self, "_report", self) is None:
            warnings.warn(f"{self} was never freed: its thread goes on", ResourceWarning, stacklevel=2)


def load_wasm(
    path: Path,
    *,
    owner: str,
    sha256: str | None = None,
    limits: WasmLimits = _USUAL,
) -> WasmPlugin:
    """Compile the module at *path*, and check its description, exports and imports; nothing of it runs.

    *owner*, such as `acme.bills 1.2`, says in errors whose module it is; *sha256*, if given, is verified
    against the bytes that are loaded; *limits* are those of each of its storages.

    Raises:
        PluginError: the file is another one, is damaged, does not describe itself, imports what no host
            gives, or does not export what it describes; all that is wrong is told at once.
        StateholdError: the wasmtime that is installed is another one than the host is made for.

    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PluginError(f"the module {path} cannot be opened: {error.strerror}") from error
    description, module = load_module(data, who=f"the module {path} of {owner}", sha256=sha256)
    return WasmPlugin(path=path, owner=owner, description=description, module=module, limits=limits)
