from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from statehold_zos.ledger._claims import Claims
from statehold_zos.ledger._file import File
from statehold_zos.ledger._namespaces import Namespaces
from statehold_zos.ledger._notes import Notes
from statehold_zos.ledger._pools import Pools
from statehold_zos.ledger._workers import Workers
from statehold_zos.model import ZosError


class Ledger:
    """What is reserved on a node: `ledger.db` in a folder, for threads and processes alike.

    A process that forks opens it anew in the child: the child of a fork would hold its parent's lock.

    Attributes:
        pools: the pools and what is free in them.
        claims: what takes room in them.
        namespaces: claims of 0-db namespaces and their servers.
        notes: small texts that stay, by topic and key.

    """

    def __init__(self, folder: Path, *, patience: float = 60.0) -> None:
        """Open the ledger, and make it where there is none.

        Args:
            folder: where it is; made if need be.
            patience: seconds to wait for a row that somebody else is at work on.

        Raises:
            ZosError: the file is of a later version, or cannot be opened.

        """
        try:
            self._file = File(folder / "ledger.db")
            try:
                self._workers = Workers(folder / "workers")
                self._workers.sweep()
            except BaseException:
                self._file.close()
                raise
        except OSError as error:
            raise ZosError(
                f"the ledger in {folder} cannot be opened: {error.filename or folder}: {error.strerror}"
            ) from error
        self.pools = Pools(self._file)
        self.claims = Claims(self._file, self._workers, patience=patience)
        self.namespaces = Namespaces(self._file, self.claims)
        self.notes = Notes(self._file)

    def check(self) -> list[str]:
        """Return what does not add up, in words: nothing, unless the file was changed by somebody else."""
        return [*self.pools.check(), *self.namespaces.check()]

    def close(self) -> None:
        """Close it; rows that this process was at work on are stale from now on. May be called twice."""
        self._workers.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
