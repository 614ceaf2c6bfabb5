from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pluggy

from statehold.sdk._provider import Provider
from statehold_vsql import Contract

hookspec = pluggy.HookspecMarker("statehold")
hookimpl = pluggy.HookimplMarker("statehold")


class Hooks:
    """The hooks of discovery and life cycle; none of them is on the path of a call."""

    @hookspec
    def statehold_packages(self) -> Mapping[str, Mapping[str, str]]:  # type: ignore[empty-body]
        """Return VSQL packages that the plugin brings: package path -> {file name: text}."""

    @hookspec
    def statehold_contracts(self) -> Mapping[str, Contract]:  # type: ignore[empty-body]
        """Return contracts of storages that this host knows but has no provider for, by name."""

    @hookspec
    def statehold_providers(self) -> Iterable[Provider]:  # type: ignore[empty-body]
        """Return further providers, beside those named as entry points."""

    @hookspec
    def statehold_extensions(self) -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
        """Return code of BUILTIN extensions: `package.Name` -> `function(state, call)`."""

    @hookspec
    def statehold_version_opened(self, app: str, version: str) -> None:
        """Hear that every storage of an app version has been opened and probed."""

    @hookspec
    def statehold_version_freed(self, app: str, version: str) -> None:
        """Hear that every storage of an app version has been freed."""
