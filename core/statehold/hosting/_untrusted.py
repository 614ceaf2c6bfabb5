from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from statehold.hosting._isolation import place, placement_of
from statehold.hosting._sandbox import Sandbox
from statehold.images import AppImage, Descriptor, ExtensionSettings, Isolation, StorageSettings
from statehold.loading.wasm import WasmLimits
from statehold.sdk import Scope
from statehold_vsql.appdef import AppDef

_MIB = 1024 * 1024
_SHARED = "partitions_per_process"
#: Each takes memory for every storage; what an app gets first it keeps.
_MOST_PARTS = 100


def untrusted_problems(image: AppImage, appdef: AppDef, sandbox: Sandbox) -> Iterator[str]:
    """Yield what keeps an image that may only run isolated from a host whose sidecars run in *sandbox*.

    Whoever has made the image has written its descriptor, too: it may have less than the default, not more.
    """
    parts = image.descriptor.num_parts
    yield from _beyond_app(image.descriptor)
    for name, definition in appdef.storages.items():
        settings = image.descriptor.storages.get(str(name), StorageSettings())
        isolation = placement_of(definition, settings).isolation
        if isolation is Isolation.SIDECAR and sandbox is Sandbox.OFF:
            yield (
                f"storage {name} runs in a sidecar, which this host does not shut in (sandbox: "
                f"{Sandbox.OFF}), and nobody has signed the image"
            )
        if settings.limits.get(_SHARED, parts) < parts:
            yield (
                f"{place(str(name))}.limits.{_SHARED}: nobody has signed the image, and all {parts} "
                "partitions share a process. Take it out, or sign it"
            )
        if settings.limits:
            usual = _of_a_module() if isolation is Isolation.WASM else _of_a_sidecar()
            yield from _beyond(f"{place(str(name))}.limits", settings.limits, usual)
    for package, extensions in image.descriptor.extensions.items():
        yield from _beyond_extensions(f"descriptor.json: Extensions.{package}.limits", extensions)


def _of_a_module() -> Mapping[str, float]:
    return attrs.asdict(WasmLimits())


def _of_a_sidecar() -> Mapping[str, float]:
    from statehold.loading.sandbox import Policy  # noqa: PLC0415 - for those that are shut in
    from statehold.loading.sidecar import Limits  # noqa: PLC0415 - as above

    usual, policy = Limits(), Policy()
    most = {"deadline": usual.deadline, "start": usual.start}
    most |= {"open_files": policy.open_files, "processes": policy.processes}
    if policy.memory_bytes is not None:
        most["memory_mib"] = policy.memory_bytes // _MIB
    return most


def _beyond(where: str, limits: Mapping[str, float], most: Mapping[str, float]) -> Iterator[str]:
    for name, value in limits.items():
        if name in most and value > most[name]:
            yield _problem(f"{where}.{name}", value, most[name])


def _beyond_app(descriptor: Descriptor) -> Iterator[str]:
    if descriptor.num_parts > _MOST_PARTS:
        yield _problem("descriptor.json: NumParts", descriptor.num_parts, _MOST_PARTS)
    usual = Descriptor().engine_pool_size
    for kind, size, most in zip(Scope, descriptor.engine_pool_size, usual, strict=True):
        if size > most:
            yield _problem(f"descriptor.json: EnginePoolSize, for {kind}", size, most)


def _beyond_extensions(where: str, settings: ExtensionSettings) -> Iterator[str]:
    from statehold.extensions.wasm import WasmLimits as Usual  # noqa: PLC0415 - for those that have limits

    usual = Usual()
    if settings.memory_mib is not None:
        yield from _beyond(where, {"memory_mib": settings.memory_mib}, {"memory_mib": usual.memory // _MIB})
    seconds, most = ({str(kind): value for kind, value in one.seconds.items()} for one in (settings, usual))
    yield from _beyond(f"{where}.seconds", seconds, most)


def _problem(where: str, value: float, most: float) -> str:
    return (
        f"{where}: expected at most {most:g}, got {value:g}: nobody has signed the image, and it may not "
        "give itself more than it has by default. Take it out, or sign it"
    )
