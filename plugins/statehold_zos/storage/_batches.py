from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from statehold.sdk import Intent, Key, StorageError

#: What undoes each thing that was done.
Undo = list[Callable[[], object]]


def wanted(name: str, items: Sequence[Intent]) -> Mapping[Key, Any]:
    """Return what a batch wants, each row once, as its last item says.

    Raises:
        StorageError: something is released and reserved again in one batch.

    """
    found: dict[Key, Any] = {}
    for item in items:
        before: Any = found.get(item.key)
        value: Any = item.value
        if before is not None and before.Released and not value.Released:
            raise StorageError(
                f"{name}: {item.key['Name']!r} is released and reserved again in one batch",
                hint="Release it first, and reserve it again with another call",
            )
        found[item.key] = value
    return found


@contextmanager
def all_or_none(name: str) -> Iterator[Undo]:
    """Yield a list for what undoes each thing that the block does; it is done, last first, where that fails.

    Raises:
        StorageError: the block failed, and so did what was to undo it.

    """
    undo: Undo = []
    try:
        yield undo
    except BaseException as failed:
        left = []
        for each in reversed(undo):
            try:
                each()
            except Exception as error:  # noqa: BLE001 - the others are undone still
                left.append(str(error))
        if left:
            raise StorageError(
                f"{name}: a batch failed, and not all that was done of it could be undone: {'; '.join(left)}",
                hint="Look at the node with `statehold zos pools`, and write the batch again",
            ) from failed
        raise
