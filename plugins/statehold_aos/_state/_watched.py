from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from statehold.sdk import Clock, StorageError, StorageLogger
from statehold_aos._state._facts import Keep, Kind
from statehold_aos._state._file import StateFile
from statehold_aos._state._inotify import Inotify
from statehold_aos._state._round import Claim
from statehold_aos._state._store import Store
from statehold_aos._state._watch import Watch
from statehold_aos.gateway import ClaimId

#: Seconds after which a folder that could not be watched is tried again.
_RETRY: Final = 10.0


class Watched:
    """The folders of claims: one that cannot be watched is tried again, and harms no other."""

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        clock: Clock,
        logger: StorageLogger,
        folder_of: Callable[[ClaimId], Path],
        inotify: Inotify | None = None,
    ) -> None:
        self._name: Final = name
        self._store: Final = store
        self._clock: Final = clock
        self._logger: Final = logger
        self._folder_of: Final = folder_of
        self._watch: Final = Watch(inotify)
        self._claims: Final[dict[int, Claim]] = {}
        self._lost: Final[dict[ClaimId, Claim]] = {}
        self._retry = 0.0
        self.descriptor: Final = self._watch.descriptor

    def __len__(self) -> int:
        return len(self._claims)

    def file(self, claim: Claim) -> StateFile:
        """Return the state file of a claim.

        Raises:
            StorageError: it has no folder.

        """
        if claim.file is None:
            claim.file = StateFile(self._folder_of(claim.facts.id))
        return claim.file

    def add(self, claim: Claim) -> bool:
        """Watch the folder of a claim, and keep what a crash has left in it; False where it cannot be."""
        if claim.watch is not None:
            return True
        one = claim.facts.id
        try:
            file = self.file(claim)
            number = self._watch.add(file.folder)
            left = file.recover(claim.facts.limit)
            if left is not None:
                self._store.save((), [(one, Keep(Kind.LOCAL, left))])
            file.clear()
        except (OSError, StorageError) as error:
            claim.file = None
            if one not in self._lost:
                self._lose(claim)
                self._logger.error("%s: %s", self._name, error)  # noqa: TRY400 - no defect of ours
            return False
        claim.watch = number
        self._claims[number] = claim
        self._lost.pop(one, None)
        return True

    def changed(self, everybody: Iterable[Claim]) -> list[Claim]:
        """Return the claims whose file may have changed since this was asked last; all where that is lost."""
        numbers, lost = self._watch.read()
        found = [self._claims[number] for number in numbers if number in self._claims]
        for number in numbers:
            if number not in self._watch and (claim := self._claims.pop(number, None)) is not None:
                claim.watch = None
                self._lose(claim)
        return [*(everybody if lost else found), *self._tried()]

    def forget(self, claim: Claim) -> None:
        """Watch the folder of a claim no more, and remove its file."""
        if claim.watch is not None:
            self._watch.drop(claim.watch)
            self._claims.pop(claim.watch, None)
        self._lost.pop(claim.facts.id, None)
        with suppress(OSError):  # Gone with its folder, or it will be.
            if claim.file is not None:
                claim.file.remove()

    def close(self) -> None:
        """Watch nothing any more."""
        self._watch.close()

    def _lose(self, claim: Claim) -> None:
        self._lost[claim.facts.id] = claim
        self._retry = self._clock.monotonic() + _RETRY

    def _tried(self) -> list[Claim]:
        now = self._clock.monotonic()
        if not self._lost or now < self._retry:
            return []
        self._retry = now + _RETRY
        return [claim for claim in list(self._lost.values()) if self.add(claim)]
