from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
from msgspec.structs import replace

from statehold.sdk import StorageError
from statehold_aos._state._facts import Facts, Step
from statehold_aos._state._file import StateFile
from statehold_aos._state._protocol import Now, Protocol
from statehold_aos._state._round import Claim
from statehold_aos._state._store import Store
from statehold_aos.gateway import ClaimId


@attrs.frozen(kw_only=True)
class Change:
    """What the host's side wants of a claim; None stands for what stays as it is."""

    limit: int | None = None
    state: bytes | None = attrs.field(default=None, repr=False)
    removed: bool = False


@attrs.frozen(kw_only=True, eq=False)
class Batch:
    """Changes of the host's side that happen together.

    They are in force once they are in the database; a state that a crash keeps from its file is written
    at the next start.

    Attributes:
        name: the storage's, for errors.
        protocol: what is done about a state that is set.
        now: when it happens.
        default_limit: bytes of a state, for claims that say nothing.
        folder_of: where the folder of a claim is.
        steps: the claims that are changed or made, and how.
        gone: the claims that are removed.

    """

    name: str
    store: Store
    protocol: Protocol
    now: Now
    default_limit: int
    folder_of: Callable[[ClaimId], Path]
    steps: list[tuple[Claim, Step]] = attrs.field(factory=list, init=False)
    gone: list[ClaimId] = attrs.field(factory=list, init=False)
    _fresh: list[ClaimId] = attrs.field(factory=list, init=False)

    def add(self, one: ClaimId, known: Claim | None, change: Change) -> None:
        """Add what is wanted of one claim.

        Raises:
            StorageError: its state is too large, or it has no folder.

        """
        if change.removed:
            self.gone.append(one)
            return
        claim = known
        if claim is None:
            claim = Claim(Facts(id=one, limit=self.default_limit, accepted=self.store.known(one)))
            self._fresh.append(one)
        limit = claim.facts.limit if change.limit is None else change.limit
        check(self.name, one, change.state, limit)
        try:
            claim.file = claim.file or StateFile(self.folder_of(one))
            self.steps.append((claim, self._step(claim, claim.file, change.state, limit)))
        except OSError as error:
            raise _failed(self.name, error) from error

    def apply(self) -> None:
        """Do it all, or nothing; durable when it returns.

        Raises:
            StorageError: a file cannot be written, or the database fails.

        """
        kept = [(claim.facts.id, keep) for claim, step in self.steps for keep in step.keep]
        self.store.save([step.facts for _, step in self.steps], kept, self.gone, fresh=self._fresh)
        written: list[tuple[StateFile, bytes | None]] = []
        try:
            for claim, step in self.steps:
                if step.write is not None and claim.file is not None:
                    written.append((claim.file, claim.file.write(step.write, step.facts.limit)))
            if written:
                self.store.save([Protocol.written(step.facts) for _, step in self.steps])
        except BaseException as error:
            for file, before in written:
                if before is None:
                    file.path.unlink(missing_ok=True)
                else:
                    file.write(before, len(before))
            old = [claim.facts for claim, _ in self.steps if claim.facts.id not in self._fresh]
            self.store.save(old, (), self._fresh)
            if isinstance(error, OSError):
                raise _failed(self.name, error) from error
            raise
        finally:
            for file, _ in written:
                file.clear()
        for claim, step in self.steps:
            claim.facts = Protocol.written(step.facts)

    def _step(self, claim: Claim, file: StateFile, state: bytes | None, limit: int) -> Step:
        step = self.protocol.limited(claim.facts, limit)
        if state is None:
            return step
        done = self.protocol.set(step.facts, state, file.read(limit), self.now)
        return step if done is None else replace(done, keep=(*step.keep, *done.keep))


def check(name: str, claim: ClaimId, state: bytes | None, limit: int) -> None:
    """Raise StorageError for a state that is larger than its limit."""
    if state is not None and len(state) > limit:
        raise StorageError(
            f"{name}: the state of {claim.service!r} for {claim.users!r} has {len(state):,} bytes, "
            f"{limit:,} are allowed",
            hint="Raise StateLimit",
        )


def _failed(name: str, error: OSError) -> StorageError:
    said = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return StorageError(f"{name}: {said}")
