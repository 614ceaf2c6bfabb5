from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from statehold.sdk import FreedError, Key
from statehold.state._errors import UnknownStorageError
from statehold.state._slot import Slot


class Uses:
    """The storages that one extension uses, compiled once for all of its calls.

    Args:
        who: the extension, for messages: `COMMAND bills.Pay`.
        slots: what its STATE and INTENTS name, in the order of declaration.
        unnamed: called with the name of a storage that they do not name, when it is asked for.

    """

    def __init__(
        self, who: str, slots: Iterable[Slot], *, unnamed: Callable[[str], object] | None = None
    ) -> None:
        self.who = who
        self._unnamed = unnamed
        #: In the order in which their intents are applied.
        self.slots = tuple(sorted(slots, key=lambda slot: slot.rank))
        self.order = {slot: number for number, slot in enumerate(self.slots)}
        #: By the class of a key, because every look-up begins with a key.
        self.of_key = {kind: slot for slot in self.slots for kind in (slot.rows.Key, slot.rows.Prefix)}
        self._named = {(slot.storage, slot.entity): slot for slot in self.slots}
        #: Whether the version has been freed.
        self.is_closed = False

    def slot(self, storage: str, entity: str | None = None) -> Slot:
        """Return a storage, or an entity of one, by name.

        Raises:
            UnknownStorageError: STATE and INTENTS do not name it.
            FreedError: its version has been freed.

        """
        slot = self._named.get((storage, entity))
        if slot is None:
            if self._unnamed is not None:
                self._unnamed(storage)
            wanted = storage if entity is None else f"{storage}({entity})"
            names = ", ".join(map(str, self.slots)) or "none"
            self._refuse(
                f"{wanted} is not among the storages it uses",
                storage=storage,
                entity=entity,
                hint=f"Name it in STATE to read it, in INTENTS to change it; they name: {names}",
            )
        return slot

    def not_found(self, key: Key) -> NoReturn:
        """Raise the error for a key that is of no slot."""
        self._refuse(
            f"{key!r:.80} is no key of the storages it uses",
            storage=type(key).__name__,
            hint="Make one with key(storage, ...)",
        )

    def close(self) -> None:
        """Let go of every storage, and let each further use raise FreedError."""
        self.is_closed = True
        self.slots, self._unnamed = (), None
        self.order, self.of_key, self._named = {}, {}, {}

    def _refuse(self, message: str, *, storage: str, entity: str | None = None, hint: str) -> NoReturn:
        if self.is_closed:
            raise FreedError(
                f"{self.who}: its version has been freed",
                hint="Borrow the partition again: the current version answers there",
            )
        raise UnknownStorageError(message, state=self.who, storage=storage, entity=entity, hint=hint)

    def __repr__(self) -> str:
        return f"<{self.who} uses {', '.join(map(str, self.slots)) or 'no storage'}>"
