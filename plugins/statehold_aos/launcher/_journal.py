from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from statehold.sdk import StorageError, replace_file

_FILE: Final = "launcher.json"


class ServiceId(NamedTuple):
    """A service of a workspace."""

    workspace: int
    service: str


class Update(msgspec.Struct, frozen=True):
    """A version that is tried.

    Attributes:
        workspace: of the service.
        service: which one.
        before: the row of the version before, which comes back where the new one fails.
        place: where the image of the new one is.

    """

    workspace: int
    service: str
    before: dict[str, Any]
    place: str


class Removal(NamedTuple):
    """What is to be removed: of a claim, or with empty users all of a service."""

    workspace: int
    service: str
    users: str


class Notes(msgspec.Struct, frozen=True):
    """What the launcher has to remember beyond the database.

    Attributes:
        users: who is there, by workspace.
        used: when services that are not at work were used last, in milliseconds since 1970.
        updates: versions that are tried.
        removals: what was begun to be removed.
        seen: the latest time that any host has seen, in milliseconds since 1970.

    """

    users: dict[int, list[str]] = {}
    used: list[tuple[int, str, int]] = []
    updates: list[Update] = []
    removals: list[Removal] = []
    seen: int = 0


class Journal:
    """The notes in a file, which is replaced as a whole: durable when a change returns."""

    def __init__(self, folder: Path) -> None:
        self._file: Final = folder / _FILE
        try:
            self.notes = msgspec.json.decode(self._file.read_bytes(), type=Notes)
        except FileNotFoundError:
            self.notes = Notes()
        except (OSError, msgspec.DecodeError) as error:
            raise StorageError(
                f"{self._file} cannot be read: {error}",
                hint="It says who is there, and what was being done: without it, nobody is, and nothing was",
            ) from error

    def change(self, **fields: Any) -> None:
        """Replace some of the notes.

        Raises:
            StorageError: the disk does not take them; then they are as before.

        """
        notes = msgspec.structs.replace(self.notes, **fields)
        try:
            replace_file(self._file, msgspec.json.format(msgspec.json.encode(notes), indent=1), mode=0o644)
        except OSError as error:
            raise StorageError(f"{self._file} cannot be written: {error.strerror}") from error
        self.notes = notes

    def used(self, service: ServiceId) -> int | None:
        """Return when a service was used last."""
        return next((at for workspace, name, at in self.notes.used if (workspace, name) == service), None)

    def use(self, service: ServiceId, at: int | None) -> None:
        """Note when a service was used last; None forgets it.

        That is never before the latest time that was seen: after the start of a machine, its clock may not
        be set yet, and what was used with such a one would be old once it is.
        """
        others = [one for one in self.notes.used if one[:2] != service]
        seen = max(self.notes.seen, at or 0)
        self.change(used=others if at is None else [*others, (*service, seen)], seen=seen)

    def see(self, now: int) -> None:
        """Note what time it is."""
        if now > self.notes.seen:
            self.change(seen=now)

    def update(self, service: ServiceId) -> Update | None:
        """Return the version of a service that is tried."""
        return next((one for one in self.notes.updates if (one.workspace, one.service) == service), None)

    def try_update(self, update: Update) -> None:
        """Note a version that is tried."""
        self.change(updates=[*self.notes.updates, update])

    def end_update(self, service: ServiceId) -> None:
        """Note that it is tried no more."""
        self.change(updates=[one for one in self.notes.updates if (one.workspace, one.service) != service])

    def begin_removal(self, removal: Removal) -> None:
        """Note what is to be removed."""
        if removal not in self.notes.removals:
            self.change(removals=[*self.notes.removals, removal])

    def end_removal(self, removal: Removal) -> None:
        """Note that it was removed."""
        self.change(removals=[one for one in self.notes.removals if one != removal])

    def is_removing(self, removal: Removal) -> bool:
        """Whether a claim, or its whole service, is being removed."""
        return bool({removal, removal._replace(users="")} & set(self.notes.removals))
