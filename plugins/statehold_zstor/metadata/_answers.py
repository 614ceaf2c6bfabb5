"""What backends answered of one object, and what follows from it. Nothing here calls a backend."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import attrs

from statehold_zstor.backends import BackendError
from statehold_zstor.metadata._coding import Coding, Written
from statehold_zstor.metadata._errors import MetadataUnavailableError
from statehold_zstor.metadata._state import Ballot, Piece, State
from statehold_zstor.metadata._values import Version


@attrs.frozen
class Answer:
    """What one backend has.

    Attributes:
        raw: the bytes; None for nothing.
        state: what they say; None for nothing, and for what is damaged.
        sound: whether it is not damaged, nor was.

    """

    raw: bytes | None
    state: State | None
    sound: bool = True


def next_ballot(answers: Mapping[int, Answer]) -> Ballot:
    """Return a ballot that is higher than all that *answers* know of.

    It is the time, in milliseconds, unless that is too low: of an object that was deleted and forgotten, one
    backend may have kept the deletion, and be away while the object is made anew.
    """
    known = [answer.state.promised.number for answer in answers.values() if answer.state is not None]
    return Ballot(max(max(known, default=0) + 1, time.time_ns() // 1_000_000), os.urandom(8))


def settled(answers: Mapping[int, Answer], *, quorum: int, count: int) -> Version | bool:
    """Return the version that a quorum has accepted; False for none at all, True while it is not known.

    Args:
        answers: of the backends, so far; no damaged ones.
        quorum: how many must agree.
        count: how many backends there are.

    """
    accepted = Counter(
        (answer.state.ballot, answer.state.accepted.version)
        for answer in answers.values()
        if answer.state is not None and answer.state.accepted is not None
    )
    for (_, version), times in accepted.items():
        if times >= quorum:
            return version
    if not accepted:
        return len(answers) < quorum
    # Where all have the same, no quorum has anything else, however often it was written.
    versions = {version for _, version in accepted}
    if len(versions) == 1 and accepted.total() == count:
        return versions.pop()
    return True


def newest(
    coding: Coding, id_: str, answers: Mapping[int, Answer], *, count: int, reached: int
) -> Written | None:
    """Return the newest writing that can be read of those that may count, or None for none.

    One that cannot be read is passed over only if it cannot have reached *reached* of the *count* backends.

    Raises:
        MetadataUnavailableError: it may have; or too many backends do not answer to know.

    """
    sound = [answer for answer in answers.values() if answer.sound]
    silent = count - len(sound)
    if len(sound) < coding.minimal:
        raise MetadataUnavailableError(
            f"{silent} of {count} backends of the metadata do not answer, or have what is damaged, "
            f"{coding.minimal} must",
            hint="Bring them back",
        )
    lost: Piece | None = None
    for pieces in _by_version(sound):
        written = coding.read(id_, pieces)
        if written is not None:
            return written
        first = pieces[0]
        # Of one that was written to another number of backends nobody knows how many of them it reached.
        same = (first.minimal, first.count) == (coding.minimal, coding.count)
        if len(pieces) + silent >= reached if same else silent:
            raise _too_few(pieces, silent, count)
        # The first writing of an object may have been given up; after others, one of them must be there.
        if not first.empty and not (same and first.version.number == 1):
            lost = lost or first
    if lost is not None:
        raise _too_few([lost], silent, count)
    if silent >= reached:
        raise MetadataUnavailableError(
            f"{silent} of {count} backends of the metadata do not answer, or have what is damaged",
            hint="Bring them back",
        )
    return None


def _by_version(answers: Sequence[Answer]) -> list[list[Piece]]:
    """Return the pieces of each writing, that of the highest ballot first."""
    found: dict[Version, list[Piece]] = {}
    order: dict[Version, tuple[Ballot, int]] = {}
    for answer in answers:
        state = answer.state
        if state is None or state.accepted is None:
            continue
        for piece, ballot in ((state.accepted, state.ballot), (state.former, None)):
            # Before an object that is gone nothing is looked for.
            if piece is not None and (piece is state.accepted or not state.accepted.empty):
                found.setdefault(piece.version, []).append(piece)
                rank = (ballot or Ballot(0, b""), piece.version.number)
                order[piece.version] = max(rank, order.get(piece.version, rank))
    return [found[version] for version in sorted(found, key=order.__getitem__, reverse=True)]


def _too_few(pieces: Sequence[Piece], silent: int, count: int) -> MetadataUnavailableError:
    return MetadataUnavailableError(
        f"the metadata of an object: {len(pieces)} pieces of {pieces[0].minimal} that are needed "
        f"are there, and {silent} of {count} backends do not answer, or have what is damaged",
        hint="Bring a backend of the metadata back",
    )


def problems_of(results: Mapping[int, object]) -> str:
    """Return what the errors among *results* say, for a message."""
    errors = [result.message for _, result in sorted(results.items()) if isinstance(result, BackendError)]
    return "".join(f"; {message}" for message in errors)
