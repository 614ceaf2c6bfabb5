from __future__ import annotations

import warnings
from collections.abc import Mapping

import attrs

from statehold.hosting._relay import Relay
from statehold.loading import Work
from statehold.sdk import IStateStorage, StorageLogger


@attrs.define(eq=False, weakref_slot=False)
class OpenStorage:
    """A storage of a partition from its opening to its freeing.

    Garbage-collected without having been freed, it warns: whatever the storage holds is then lost.

    Attributes:
        takes_over: whether it has looked for the storage of the version before it.
        relay: what stands before its changes, if it can be handed over.

    """

    name: str
    provider: str
    impl: IStateStorage
    work: Work
    logger: StorageLogger
    where: str
    takes_over: bool = False
    relay: Relay | None = None
    freed: bool = False

    def free(self) -> None:
        """Free the storage, the first time this is called."""
        if not self.freed:
            self.freed = True
            if self.relay is not None:
                self.relay.close()
            self.impl.free()

    def __del__(self) -> None:
        if not self.freed:
            warnings.warn(
                f"{self.name} of {self.where} was not freed. Close the host, best with `with Host(...)`",
                ResourceWarning,
                stacklevel=1,
                source=self.impl,
            )


Storages = Mapping[str, OpenStorage]
