from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import attrs

from statehold.sdk import StorageLogger
from statehold_aos._state._facts import Disk, Facts, Keep, Kind, Step
from statehold_aos._state._file import StateFile
from statehold_aos._state._store import Store
from statehold_aos.gateway import ToCloud, checksum_of

#: What is done about one claim, once its facts are known; `disk` is read only where it is asked for.
Work = Callable[[Facts, Callable[[], Disk]], Step | None]
#: Takes the steps of works, one for each claim, together.
Take = Callable[[Sequence[tuple["Claim", Work]]], None]


@attrs.define(eq=False)
class Claim:
    """A claim whose state is looked after.

    Attributes:
        facts: what is known, as it is in the database.
        file: its state file; None where its folder cannot be used.
        watch: the number of its watch.
        ready: what to call when a service that is held may start.

    """

    facts: Facts
    file: StateFile | None = None
    watch: int | None = None
    ready: Callable[[], None] | None = None

    def is_due(self, now: float) -> bool:
        """Say whether something is to be sent again, in seconds of a clock that does not jump."""
        return self.facts.due is not None and self.facts.due <= now * 1000

    def disk(self) -> Disk:
        """Return what the file has; nothing where it cannot be read."""
        if self.file is None:
            return Disk()
        return self.file.read(self.facts.limit)


@attrs.frozen
class _Taken:
    claim: Claim
    step: Step
    disk: Disk | None


class Rounds:
    """Takes the steps of many claims together: what one of them commits, all do.

    In this order: what is to be kept, files, facts, messages. A claim whose file cannot be written is left
    as it was.
    """

    def __init__(
        self, store: Store, send: Callable[[Sequence[ToCloud]], None], logger: StorageLogger, name: str
    ) -> None:
        self._store: Final = store
        self._send: Final = send
        self._logger: Final = logger
        self._name: Final = name

    def take(self, works: Iterable[tuple[Claim, Work]]) -> list[Claim]:
        """Do *works*, one for each claim, and return the claims whose facts have changed.

        Raises:
            StorageError: the database fails; no step was taken, but files may have been written.

        """
        taken = [one for claim, work in works if (one := self._decide(claim, work)) is not None]
        if not taken:
            return []
        before = [(one.step.facts.id, keep) for one in taken for keep in self._first(one)]
        if before:
            self._store.save((), before)
        taken = [one for one in taken if self._write(one)]
        changed = [one for one in taken if one.step.facts.lasting() != one.claim.facts.lasting()]
        self._store.save(
            [one.step.facts for one in changed],
            [(one.step.facts.id, keep) for one in taken if one.step.write is None for keep in one.step.keep],
            accepted=[
                one.step.facts for one in changed if one.step.facts.accepted != one.claim.facts.accepted
            ],
        )
        for one in taken:
            one.claim.facts = one.step.facts
            if one.step.write is not None and one.claim.file is not None:
                self._clear(one.claim.file)
            if one.step.told:
                self._logger.warning("%s: %s: %s", self._name, _shown(one.claim), one.step.told)
        self._send([message for one in taken for message in one.step.send])
        return [one.claim for one in taken]

    def _decide(self, claim: Claim, work: Work) -> _Taken | None:
        seen: list[Disk] = []

        def disk() -> Disk:
            seen.append(claim.disk())
            return seen[-1]

        try:
            step = work(claim.facts, disk)
        except OSError as error:
            self._logger.error("%s: %s: %s", self._name, _shown(claim), error)  # noqa: TRY400 - no defect
            return None
        return None if step is None else _Taken(claim, step, seen[-1] if seen else None)

    @staticmethod
    def _first(one: _Taken) -> tuple[Keep, ...]:
        return () if one.step.write is None else one.step.keep

    def _write(self, one: _Taken) -> bool:
        if one.step.write is None:
            return True
        if one.claim.file is None:
            return False
        try:
            before = one.claim.file.write(one.step.write, one.claim.facts.limit)
        except OSError as error:
            self._logger.error("%s: %s: %s", self._name, _shown(one.claim), error)  # noqa: TRY400
            return False
        seen = None if one.disk is None else one.disk.checksum
        if before is not None and checksum_of(before) not in (seen, checksum_of(one.step.write)):
            # The service has written it after we had looked.
            self._store.save((), [(one.step.facts.id, Keep(Kind.LOCAL, before))])
        return True

    def _clear(self, file: StateFile) -> None:
        try:
            file.clear()
        except OSError as error:
            self._logger.warning("%s: %s", self._name, error)


def _shown(claim: Claim) -> str:
    return f"state of {claim.facts.id.service!r} for {claim.facts.id.users}"
