from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from time import monotonic
from typing import Any, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar._errors import Reason
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar._objects import packed
from statehold.loading.sidecar.host._group import Group
from statehold.loading.sidecar.host._lane import Lane, LaneFault

_STATE: Final = ("get", "get_batch", "read", "rows")


class Taking:
    """One OPEN or RESUME, and what the sidecar asks meanwhile of the storage of the version before."""

    def __init__(self, group: Group, lane: Lane, codec: Codec, existing: Any) -> None:
        self._group = group
        self._lane = lane
        self._codec = codec
        self._existing = existing
        self._reads: dict[int, Iterator[Any]] = {}
        self.answered = False

    @staticmethod
    def told(existing: object) -> list[str] | None:
        """Return what can be asked of a storage, None where there is none."""
        return (
            None if existing is None else [name for name in _STATE if callable(getattr(existing, name, None))]
        )

    def ask(self, kind: int, handle: int, argument: Any) -> Any:
        """Return the answer."""
        group, lane = self._group, self._lane
        begun = monotonic()
        lane.relimit(group.limits.start)
        try:
            number = lane.ask(kind, handle, 0, None, argument)
            kinds = (k.OK, k.ERROR, k.EXISTING_GET, k.EXISTING_GETBATCH, k.EXISTING_READ)
            while True:
                answer = lane.hear(group.anything, number, kinds)
                if answer.kind in (k.OK, k.ERROR):
                    break
                if monotonic() - begun > group.limits.start:
                    raise LaneFault(Reason.DEADLINE, f"did not take over within {group.limits.start:g} s")
                lane.say(self._answered(number, answer.kind, answer.result))
            lane.relimit(group.limits.deadline)
        finally:
            for reading in self._reads.values():
                close = getattr(reading, "close", None)
                if close is not None:
                    close()
        self.answered = True
        group.lanes.give_back(lane)
        if isinstance(answer.result, Failure):
            raise group.revived(answer.result)
        return answer.result

    def _answered(self, number: int, kind: int, argument: Any) -> tuple[Any, ...]:
        try:
            return k.OK, number, self._existing_answer(kind, argument)
        except Exception as error:  # noqa: BLE001 - the other storage's, told to the one that asked
            return k.ERROR, number, f"{type(error).__name__}: {error}"

    def _existing_answer(self, kind: int, argument: Any) -> Any:
        existing, to_key = self._existing, self._codec.to_key
        if kind == k.EXISTING_GET:
            return packed(existing.get(to_key(argument)))
        if kind == k.EXISTING_GETBATCH:
            return packed(list(existing.get_batch([to_key(key) for key in argument])))
        number, prefix = argument
        if number not in self._reads:
            self._reads[number] = iter(existing.read(to_key(prefix)) if prefix else existing.rows())
        rows = islice(self._reads[number], k.CHUNK_ROWS)
        return [[self._codec.key(_own(key, self._codec)), packed(value)] for key, value in rows]


def _own(key: Any, codec: Codec) -> Any:
    # A key of the version before: the same fields, or it would not have been asked.
    return codec.key_class(*(getattr(key, name) for name in codec.key_names))
