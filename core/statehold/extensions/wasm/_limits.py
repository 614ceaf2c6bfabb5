from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from statehold.images import ExtensionSettings
from statehold.sdk import Scope

_SECONDS: Final[Mapping[Scope, float]] = MappingProxyType(
    {Scope.COMMANDS: 5.0, Scope.QUERIES: 30.0, Scope.PROJECTORS: 30.0, Scope.JOBS: 300.0}
)

_PAGES_OF_A_MIB: Final = 16


@attrs.frozen(kw_only=True)
class WasmLimits:
    """What a guest may take.

    Attributes:
        module_bytes: the size of its module.
        pages: its memory, in pages of 64 KiB.
        seconds: how long a call may compute, by kind; what storages take of its time is not counted.
        start_seconds: how long its start may take.
        name_bytes: how long the name of a storage, an entity or a field may be.
        keys: how many keys, and how many intents, one call may make.
        values: how many GETs one call may make, and how many values it may have of them and inside of others.
        copied_bytes: how many bytes of texts and bytes one call may put into keys and intents.
        stdout: how many bytes of what it prints in one call are kept.

    """

    module_bytes: int = 32 * 1024 * 1024
    pages: int = 256
    seconds: Mapping[Scope, float] = _SECONDS
    start_seconds: float = 5.0
    name_bytes: int = 1024
    keys: int = 1_000_000
    values: int = 100_000
    copied_bytes: int = 64 * 1024 * 1024
    stdout: int = 1024

    def set_by(self, settings: ExtensionSettings | None) -> WasmLimits:
        """Return these limits with those that the operator has set."""
        if settings is None:
            return self
        return attrs.evolve(
            self,
            pages=self.pages if settings.memory_mib is None else settings.memory_mib * _PAGES_OF_A_MIB,
            seconds={**self.seconds, **settings.seconds},
        )

    @property
    def memory(self) -> int:
        """The memory in bytes."""
        return self.pages * 65536
