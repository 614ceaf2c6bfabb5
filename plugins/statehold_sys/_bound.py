from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NoReturn

import attrs

from statehold.sdk import CallContext, IStateStorage, Key, StorageError, Value

Answer = Callable[[CallContext], Value | None]


@attrs.frozen(eq=False)
class PerCall:
    """A storage that is something only in a call: `for_call` makes what answers there."""

    for_call: Callable[[CallContext], IStateStorage]

    def free(self) -> None:
        """Do nothing: what a call sees goes with the call."""


class Bound:
    """What a call sees of a storage; it holds nothing that would have to be freed."""

    __slots__ = ()

    def free(self) -> None:
        """Do nothing: what it came from is freed."""


class _Answered(Bound):
    __slots__ = ("_answer", "_call")

    def __init__(self, answer: Answer, call: CallContext) -> None:
        self._answer, self._call = answer, call

    def get(self, key: Key) -> Value | None:  # noqa: ARG002 - the key has no fields
        return self._answer(self._call)


def answered(answer: Answer) -> PerCall:
    """Return a storage whose one row, the same in every workspace, is what *answer* makes of the call."""
    return PerCall(partial(_Answered, answer))


def nobody_listens(storage: str, call: CallContext) -> NoReturn:
    """Raise the error for an answer in a call that takes none."""
    raise StorageError(
        f"{storage}: nobody takes an answer from {call.extension}",
        hint="Only commands and queries are answered for",
    )
