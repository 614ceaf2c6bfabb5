from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from statehold_zos.ledger import _rows as rows
from statehold_zos.ledger._file import File
from statehold_zos.ledger._values import Claim
from statehold_zos.ledger._workers import Workers
from statehold_zos.model import ZosError

_PAUSE: Final = 0.01


class Turns:
    """Lets one at a time be at work on a claim, in whichever process; others wait."""

    def __init__(self, file: File, workers: Workers, *, patience: float) -> None:
        self._file = file
        self._workers = workers
        self._patience = patience

    def take(self, claim: str) -> Claim:
        """Be at work on a claim, whatever its state is; waits while another is. Ends with `leave`.

        Raises:
            NotFoundError: there is none of this id (any more).
            ZosError: another is at work on it for longer than the ledger's patience.

        """
        return self.waiting(lambda sql: self.take_in(sql, rows.get(sql, claim)), claim)

    def leave(self, claim: str) -> None:
        """Be at work on a claim no more, and leave it in the state that it is in. May be called twice.

        A claim that is neither `READY` nor `RELEASED` is stale then: another may finish it.
        """
        try:
            with self._file.write() as sql:
                sql.execute(
                    "UPDATE claims SET worker = '' WHERE id = ? AND worker = ?", (claim, self._workers.token)
                )
        finally:
            self._workers.end(claim)

    @contextmanager
    def at_work(self, claim: str) -> Iterator[Claim]:
        """Be at work on a claim for a while: `take` and `leave`."""
        taken = self.take(claim)
        try:
            yield taken
        finally:
            self.leave(claim)

    def take_in(self, sql: sqlite3.Connection, found: Claim) -> Claim | None:
        """Be at work on a claim in a transaction of the caller's, None where another is."""
        if self._workers.working(found.worker, found.id):
            return None
        sql.execute("UPDATE claims SET worker = ? WHERE id = ?", (self._workers.token, found.id))
        return self._mine(attrs.evolve(found, worker=self._workers.token))

    def waiting(self, attempt: Callable[[sqlite3.Connection], Claim | None], what: str) -> Claim:
        """Repeat a transaction until it returns a claim."""
        until = time.monotonic() + self._patience
        while True:
            claim: Claim | None = None
            try:
                with self._file.write() as sql:
                    claim = attempt(sql)
            except BaseException:
                if claim is not None and claim.mine:
                    self._workers.end(claim.id)
                raise
            if claim is not None:
                return claim
            if time.monotonic() > until:
                raise ZosError(f"somebody has been at work on {what} for {self._patience:g} s")
            time.sleep(_PAUSE)

    def _mine(self, claim: Claim) -> Claim:
        # Before the transaction commits: another thread takes a row of ours that nobody is at work on.
        self._workers.begin(claim.id)
        return attrs.evolve(claim, mine=True)
