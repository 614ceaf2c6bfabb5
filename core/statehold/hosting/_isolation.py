from __future__ import annotations

from collections.abc import Iterator

from statehold.images import Isolation, StorageSettings
from statehold.loading.wasm import read_limits
from statehold_vsql import StorageEngine
from statehold_vsql.appdef import StorageDef


def isolation_problems(where: str, definition: StorageDef | None, settings: StorageSettings) -> Iterator[str]:
    """Yield what of an operator's wishes cannot be had: where a plugin runs, and within which limits.

    *where* is the place in the descriptor; *definition* is None for a storage that the app does not have.
    """
    in_wasm = definition is not None and definition.engine is StorageEngine.WASM
    own = Isolation.WASM if in_wasm else Isolation.INPROCESS
    if settings.isolation not in (None, own):
        what = f"storage {definition.name} is" if in_wasm and definition else "this host runs"
        other = f"a WebAssembly module, which runs as {own}" if in_wasm else f"{own} only yet"
        yield (f"{where}.isolation: {what} {other}, not {settings.isolation}. Take it out, or write {own}")
    if in_wasm:
        yield from (f"{where}.{problem}" for problem in read_limits(settings.limits)[1])
        if settings.allow:
            yield (
                f"{where}.allow: a WebAssembly module has nothing of the host that it could be allowed: "
                f"{', '.join(settings.allow)} would be ignored. Take it out"
            )
    elif settings.limits:
        yield (
            f"{where}.limits: nothing limits a storage that runs {Isolation.INPROCESS}, and this "
            f"host runs no other yet: {', '.join(settings.limits)} would be ignored. Take it out"
        )
