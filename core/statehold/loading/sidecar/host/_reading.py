from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from statehold.loading.sidecar import _kinds as k
from statehold.loading.sidecar._codec import Codec
from statehold.loading.sidecar._errors import Reason, SidecarError
from statehold.loading.sidecar._failures import Failure
from statehold.loading.sidecar.host._group import Group
from statehold.loading.sidecar.host._lane import Lane, LaneFault
from statehold.sdk import Key, Value

#: How long a READ that is left in the middle waits for the sidecar to notice, seconds.
_PATIENCE: Final = 0.05
_ANSWERS: Final = (k.ROWS, k.OK, k.ERROR)


def read(  # noqa: PLR0917 - on the way of every call
    group: Group, handle: int, schema: int, call: Any, codec: Codec, prefix: Any
) -> Generator[tuple[Key, Value], None, None]:
    """Yield the rows of a READ; it has a lane of its own until it ends."""
    question = (k.READ, handle, schema, call, prefix)
    lane, number, answer = _first(group, codec, question)
    if not lane.process.many:
        yield from _all(group, lane, number, codec, answer)
        return
    ended = False
    try:
        make_key, make_value = codec.key_class, codec.value_class
        while answer.kind == k.ROWS:
            _check(answer)
            # Before the rows are used, so that the next ones are on their way meanwhile.
            lane.say((k.MORE, number))
            for one, other in answer.result or ():
                yield make_key(*one), make_value(*other)
            answer = lane.hear(codec.rows, number, _ANSWERS)
        ended = True
    except LaneFault as fault:
        ended = True
        raise group.lanes.give_up(lane, fault) from None
    finally:
        if not ended:
            _leave(group, lane, number, codec)
    group.lanes.give_back(lane)
    if isinstance(answer.result, Failure):
        raise group.revived(answer.result)


def _all(
    group: Group, lane: Lane, number: int, codec: Codec, answer: Any
) -> Generator[tuple[Key, Value], None, None]:
    """Yield the rows of a READ once all of them are there: nobody else can ask anything before that."""
    rows: list[Any] = []
    size = 0
    try:
        while answer.kind == k.ROWS:
            _check(answer)
            size += lane.heard
            if size > k.MAX_FRAME:
                text = f"sent more than {k.MAX_FRAME} bytes for one READ, and takes one question at a time"
                raise LaneFault(Reason.PROTOCOL, text)  # noqa: TRY301 - as one that the lane finds
            rows += answer.result or ()
            lane.say((k.MORE, number))
            answer = lane.hear(codec.rows, number, _ANSWERS)
    except LaneFault as fault:
        raise group.lanes.give_up(lane, fault) from None
    group.lanes.give_back(lane)
    for key, value in rows:
        yield codec.key_class(*key), codec.value_class(*value)
    if isinstance(answer.result, Failure):
        raise group.revived(answer.result)


def _check(answer: Any) -> None:
    """Refuse a chunk without rows: with those, a READ could go on for ever, and its caller see nothing."""
    if not answer.result:
        raise LaneFault(Reason.PROTOCOL, "sent a chunk of no rows")


def _first(group: Group, codec: Codec, question: tuple[int, int, int, Any, Any]) -> tuple[Lane, int, Any]:
    """Ask, and return the first answer; ask once more if the sidecar fails before it."""
    started = monotonic()
    error: SidecarError | None = None
    for last in (False, True):
        try:
            lane = group.lanes.take_for_read(started)
        except SidecarError as none:
            raise error or none from None
        try:
            number = lane.ask(*question, started=started)
            return lane, number, lane.hear(codec.rows, number, _ANSWERS, started)
        except LaneFault as fault:
            error = group.lanes.give_up(lane, fault)
            if last or monotonic() - started >= group.limits.deadline:
                raise error from None
        except BaseException:
            group.lanes.drop(lane)
            raise
    raise AssertionError


def _leave(group: Group, lane: Lane, number: int, codec: Codec) -> None:
    """Tell the sidecar that no more rows are wanted, and keep the lane if it answers soon."""
    with suppress(LaneFault):
        lane.say((k.CANCEL, number))
        until = monotonic() + _PATIENCE
        lane.relimit(_PATIENCE)
        while monotonic() < until:
            if lane.hear(codec.rows, number, _ANSWERS).kind != k.ROWS:
                lane.relimit(group.limits.deadline)
                group.lanes.give_back(lane)
                return
    group.lanes.drop(lane)
