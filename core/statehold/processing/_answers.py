from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command: it is durable.

    Attributes:
        offset: the offset of its event in the workspace's log.
        new_ids: the ids of the records that were made, by the raw ids that were used for them.
        result: what it returned, which `msgspec.json.encode` writes; None where it returned nothing.
        problem: why something beyond the row store, such as a mail, could not be done at once; it stays in
            the outbox and is tried again.

    """

    offset: int
    new_ids: Mapping[int, int]
    result: Any = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the answer as the HTTP API writes it, for `msgspec.json.encode`."""
        answer: dict[str, Any] = {"currentWLogOffset": self.offset}
        if self.new_ids:
            answer["newIDs"] = {str(raw): new for raw, new in self.new_ids.items()}
        if self.result is not None:
            answer["result"] = self.result
        return answer


class NewWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that was made: its id, and the offset of its first event in its own log."""

    workspace: int
    offset: int


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far an asynchronous projector is behind, in one partition.

    Attributes:
        offset: the last event it has seen, in the partition's log.
        events: how many it has not.
        seconds: how long ago the first of those was logged.
        problem: why it does not go on at the moment, empty if it does.
        attempts: how often it has failed in a row.

    """

    app: str
    partition: int
    projector: str
    offset: int
    events: int
    seconds: float
    problem: str = ""
    attempts: int = 0


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A job in one app workspace.

    Attributes:
        due: when it runs next, in seconds since 1970.
        last: when it last was due and ran; None for never.
        running: whether it runs now.
        missed: how many runs were missed since the runtime was started.
        problem: why the last run failed, empty if it did not.

    """

    app: str
    job: str
    workspace: int
    due: float
    last: float | None = None
    running: bool = False
    missed: int = 0
    problem: str = ""
