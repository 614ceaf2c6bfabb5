from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import attrs

from statehold.hosting._nearest import nearest
from statehold.images import Descriptor, Isolation, StorageSettings
from statehold.loading.wasm import WasmLimits, read_limits
from statehold.sdk import DescriptorError, Provider
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import AppDef, StorageDef

_NETWORK = "network"


@attrs.frozen(kw_only=True)
class Placement:
    """Where the code of a storage runs; storages of one file in the same place share a process.

    Attributes:
        isolation: the boundary.
        limits: what it may take there, by name.
        network: the hosts that a sidecar may connect to.

    """

    isolation: Isolation
    limits: tuple[tuple[str, float], ...] = ()
    network: tuple[str, ...] = ()

    @property
    def wasm_limits(self) -> WasmLimits:
        """The limits of a module."""
        return read_limits(dict(self.limits))[0]


def own_isolation(engine: StorageEngine) -> Isolation:
    """Return where the storages of an engine run that nobody has placed."""
    if engine is StorageEngine.WASM:
        return Isolation.WASM
    return Isolation.SIDECAR if engine is StorageEngine.GOPLUGIN else Isolation.INPROCESS


def placement_of(definition: StorageDef, settings: StorageSettings) -> Placement:
    """Return where a storage runs: where the operator wants it, else as its engine does."""
    isolation = settings.isolation or own_isolation(definition.engine)
    granted = settings.allow.get(_NETWORK, ())
    apart = isolation is Isolation.SIDECAR
    return Placement(
        isolation=isolation,
        limits=() if isolation is Isolation.INPROCESS else tuple(sorted(settings.limits.items())),
        network=tuple(granted) if apart and isinstance(granted, tuple) else (),
    )


def placing_problems(descriptor: Descriptor, appdef: AppDef) -> Mapping[str, Sequence[str]]:
    """Return what of a descriptor's wishes cannot be had of the storages of an app, by their names.

    No code is loaded for that: what a provider itself has against it is told by a deploy.
    """
    known = {str(name): definition for name, definition in appdef.storages.items()}
    found: dict[str, Sequence[str]] = {}
    for name, settings in descriptor.storages.items():
        where = place(name)
        if name not in known:
            found[name] = [f"{where}: the app has no such storage. {nearest(name, list(known))}"]
        else:
            found[name] = list(isolation_problems(where, known[name], settings))
    return found


def place(storage: str) -> str:
    """Return where a descriptor speaks of a storage."""
    return f"descriptor.json: Storages.{storage}"


def isolation_problems(where: str, definition: StorageDef, settings: StorageSettings) -> Iterator[str]:
    """Yield what of an operator's wishes cannot be had, whatever the plugin: where it runs, and its limits.

    *where* is the place in the descriptor.
    """
    own = own_isolation(definition.engine)
    wanted = settings.isolation or own
    if own is not Isolation.INPROCESS and wanted is not own:
        what = "a WebAssembly module" if own is Isolation.WASM else "an executable"
        yield (
            f"{where}.isolation: storage {definition.name} is {what}, which runs as {own}, not {wanted}. "
            f"Take it out, or write {own}"
        )
    elif own is not wanted and wanted is Isolation.WASM:
        yield (
            f"{where}.isolation: storage {definition.name} is {definition.engine}, and Python does not run "
            f"as {wanted}. Write {Isolation.INPROCESS} or {Isolation.SIDECAR}"
        )
    elif wanted is Isolation.WASM:
        yield from (f"{where}.{problem}" for problem in read_limits(settings.limits)[1])
        if settings.allow:
            yield (
                f"{where}.allow: a WebAssembly module has nothing of the host that it could be allowed: "
                f"{', '.join(settings.allow)} would be ignored. Take it out"
            )
    elif wanted is Isolation.SIDECAR:
        yield from _sidecar_problems(where, settings)
    elif settings.limits:
        yield (
            f"{where}.limits: nothing limits a storage that runs {Isolation.INPROCESS}: "
            f"{', '.join(settings.limits)} would be ignored. Take it out, or write "
            f'"isolation": "{Isolation.SIDECAR}"'
        )


def _sidecar_problems(where: str, settings: StorageSettings) -> Iterator[str]:
    from statehold.loading.sandbox import Grant  # noqa: PLC0415 - for those that are shut in

    yield from limits_problems(f"{where}.limits", settings.limits)
    for name in settings.allow:
        # Others may be the storage's own.
        if name != _NETWORK and get_close_matches(name, [_NETWORK], n=1):
            yield f"{where}.allow: unknown key {name!r}. Did you mean {_NETWORK!r}?"
    granted = settings.allow.get(_NETWORK, ())
    if not isinstance(granted, tuple):
        yield f"{where}.allow.{_NETWORK}: expected a list of hosts, got {granted!r}"
        return
    for host in granted:
        try:
            Grant.parse(host)
        except ValueError as error:
            yield f"{where}.allow.{_NETWORK}: {error}"


def limits_problems(where: str, limits: Mapping[str, float]) -> Iterator[str]:
    """Yield what is wrong with the limits of a sidecar."""
    from statehold.loading.sandbox import Policy  # noqa: PLC0415 - as above
    from statehold.loading.sidecar import Limits  # noqa: PLC0415

    try:
        read = Limits.of(limits, where=where)
    except DescriptorError as error:
        yield from error.problems
        return
    for name in ("cpu_seconds", "open_files", "processes"):
        value = getattr(read, name)
        if value is not None:
            try:
                Policy(**{name: value})
            except ValueError as error:
                yield f"{where}.{error}"


def unsuited(where: str, definition: StorageDef, provider: Provider, why: str) -> str:
    """Return the problem of a storage that was placed in a sidecar, and cannot run there."""
    return (
        f"{where}.isolation: storage {definition.name} cannot run in a sidecar: provider {provider.name!r} "
        f"says: {why}. Take it out, or write {Isolation.INPROCESS}"
    )
