from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from statehold.sdk import Intent, IStateStorage, IWithApplyBatch


def apply_intents(storages: Mapping[str, IStateStorage], intents: Mapping[str, Sequence[Intent]]) -> None:
    """Validate the intents of every storage, then apply them storage by storage, in the order given.

    If any storage refuses, nothing has been applied. Within one storage a batch is all or nothing.
    """
    batches = [(cast("IWithApplyBatch", storages[name]), items) for name, items in intents.items() if items]
    for storage, items in batches:
        storage.validate(items)
    for storage, items in batches:
        storage.apply_batch(items)
