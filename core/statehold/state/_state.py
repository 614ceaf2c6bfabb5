from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from statehold.sdk import Intent, IStateStorage, IWithApplyBatch, Key, Operation, Rank, Value
from statehold.state._builder import ValueBuilder
from statehold.state._errors import (
    ExistsError,
    IntentLimitError,
    NotExistsError,
    StateError,
    UnknownStorageError,
    UnsupportedError,
)
from statehold.state._slot import Slot

Storages = Mapping[str, IStateStorage]


class State:
    """What one extension sees of its storages in one call: what is stored, and the changes it asks for.

    Reads do not see pending intents. Two intents on one key are both kept and applied in order.

    Args:
        name: whose state it is, for messages: `COMMAND bills.Pay`.
        slots: the storages that the extension's STATE and INTENTS name, in the order of declaration.
        storages: the open storages behind them, by name.
        workspace: the workspace of keys that name none.
        limit: how many intents one call may ask for.
        commit: makes one atomic commit of what the storages on the row store have been given.

    """

    def __init__(
        self,
        name: str,
        slots: Iterable[Slot],
        storages: Storages,
        *,
        workspace: int,
        limit: int,
        commit: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.workspace = workspace
        self._limit = limit
        self._commit = commit
        self._storages = storages
        # Ranks first, so that each walk over the slots is the order in which they are applied.
        self._slots = sorted(slots, key=lambda slot: slot.rank)
        self._named = {(slot.storage, slot.entity): slot for slot in self._slots}
        self._of_key = {kind: slot for slot in self._slots for kind in (slot.rows.Key, slot.rows.Prefix)}
        self._pending: dict[Slot, list[ValueBuilder]] = {slot: [] for slot in self._slots}
        self._asked = 0

    def key(self, storage: str, entity: str | None = None, /, **fields: object) -> Key:
        """Return the key of one row; WSID is the call's workspace unless it is given."""
        slot = self._slot(storage, entity)
        return slot.rows.key(fields.pop("WSID", self.workspace), **fields)

    def prefix(self, storage: str, entity: str | None = None, /, **fields: object) -> Key:
        """Return a key for `read` whose trailing fields may be left out."""
        slot = self._slot(storage, entity)
        return slot.rows.prefix(fields.pop("WSID", self.workspace), **fields)

    def get(self, key: Key) -> Value | None:
        """Return the value under *key*, or None; by GETBATCH where the storage has no GET."""
        slot = self._slot_of(key)
        if Operation.GET in slot.allowed:
            return slot.facade.get(key)
        if Operation.GETBATCH in slot.allowed:
            return slot.facade.get_batch([key])[0]
        raise self._unsupported(slot, Operation.GET, key)

    def get_all(self, keys: Iterable[Key]) -> list[Value | None]:
        """Return one answer per key, in the order of *keys*, duplicates included.

        The keys of one storage are looked up at once where it has GETBATCH.
        """
        keys = list(keys)
        answers: list[Value | None] = [None] * len(keys)
        for slot, places in self._by_slot(keys):
            found = self._look_up(slot, [keys[place] for place in places])
            for place, value in zip(places, found, strict=True):
                answers[place] = value
        return answers

    def must_exist(self, key: Key) -> Value:
        """Return the value under *key*, or raise NotExistsError."""
        return self.must_exist_all([key])[0]

    def must_exist_all(self, keys: Iterable[Key]) -> list[Value]:
        """Return the values under *keys*, or raise NotExistsError for the first that is missing."""
        keys = list(keys)
        values = []
        for key, value in zip(keys, self.get_all(keys), strict=True):
            if value is None:
                raise self._error(NotExistsError, self._slot_of(key), f"{key!r} does not exist", key)
            values.append(value)
        return values

    def must_not_exist(self, key: Key) -> None:
        """Raise ExistsError if there is a row under *key*."""
        self.must_not_exist_all([key])

    def must_not_exist_all(self, keys: Iterable[Key]) -> None:
        """Raise ExistsError for the first of *keys* under which there is a row."""
        keys = list(keys)
        for key, value in zip(keys, self.get_all(keys), strict=True):
            if value is not None:
                raise self._error(ExistsError, self._slot_of(key), f"{key!r} exists already", key)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys start with *key*; the caller may stop at any row."""
        slot = self._slot_of(key)
        if Operation.READ not in slot.allowed:
            raise self._unsupported(slot, Operation.READ, key)
        return slot.facade.read(key)

    def new_value(self, key: Key, /, **fields: object) -> ValueBuilder:
        """Ask for an INSERT and return its value, which may be put to until it is applied."""
        return self._ask(Operation.INSERT, key, None, fields)

    def update_value(self, key: Key, existing: Value, /, **changes: object) -> ValueBuilder:
        """Ask for an UPDATE of *existing* and return its value, which may be put to until it is applied."""
        return self._ask(Operation.UPDATE, key, existing, changes)

    def find_intent(self, key: Key, *, is_new: bool | None = None) -> ValueBuilder | None:
        """Return the first pending intent on *key*, of that kind if one is asked for, or None."""
        for builder in self._pending[self._slot_of(key)]:
            if builder.key == key and is_new in (None, builder.is_new):
                return builder
        return None

    @property
    def intents_count(self) -> int:
        """How many intents are pending."""
        return self._asked

    def intents(self) -> Iterator[tuple[Slot, Intent]]:
        """Yield the pending intents in the order in which they will be applied."""
        for slot, builders in self._pending.items():
            for builder in builders:
                yield slot, builder.build()

    def validate_intents(self) -> None:
        """Let every storage check what is pending; nothing is applied and nothing is forgotten."""
        for storage, items in self._batches(self._built()):
            storage.validate(items)

    def apply_intents(self) -> None:
        """Apply what is pending, each storage's part all or none: the row store, others, effects last.

        The intents are gone afterwards, also when a storage refuses; those after it are not applied then.
        """
        try:
            built = self._built()
        finally:
            self.clear_intents()
        self._apply(built)

    def clear_intents(self) -> None:
        """Forget what is pending."""
        for builders in self._pending.values():
            builders.clear()
        self._asked = 0

    def _apply(self, built: Sequence[tuple[Slot, Sequence[Intent]]]) -> None:
        for rank, part in groupby(built, key=lambda one: one[0].rank):
            batches = self._batches(part)
            for storage, items in batches:
                storage.apply_batch(items)
            if rank is Rank.ROWS and batches and self._commit is not None:
                self._commit()

    def _built(self) -> list[tuple[Slot, list[Intent]]]:
        return [(slot, [one.build() for one in many]) for slot, many in self._pending.items() if many]

    def _batches(
        self, built: Iterable[tuple[Slot, Sequence[Intent]]]
    ) -> list[tuple[IWithApplyBatch, list[Intent]]]:
        """Return one batch per storage: its entities are slots of their own, and still one batch."""
        batches: dict[str, list[Intent]] = {}
        for slot, items in built:
            batches.setdefault(slot.storage, []).extend(items)
        return [(self._writer(storage), items) for storage, items in batches.items()]

    def _writer(self, storage: str) -> IWithApplyBatch:
        found: IWithApplyBatch = self._storages[storage]  # type: ignore[assignment]  # INSERT or UPDATE is allowed
        return found

    def _ask(
        self, operation: Operation, key: Key, existing: Value | None, fields: Mapping[str, object]
    ) -> ValueBuilder:
        slot = self._slot_of(key)
        if operation not in slot.allowed:
            raise self._unsupported(slot, operation, key)
        if self._asked >= self._limit:
            message = f"{key!r}: more than {self._limit} intents in one call"
            raise self._error(IntentLimitError, slot, message, key, hint="Ask for fewer changes per call")
        builder = ValueBuilder(slot, key, existing, fields)
        self._pending[slot].append(builder)
        self._asked += 1
        return builder

    def _look_up(self, slot: Slot, keys: Sequence[Key]) -> Sequence[Value | None]:
        if Operation.GETBATCH in slot.allowed:
            return slot.facade.get_batch(keys)
        if Operation.GET in slot.allowed:
            return [slot.facade.get(key) for key in keys]
        raise self._unsupported(slot, Operation.GETBATCH, keys[0])

    def _by_slot(self, keys: Sequence[Key]) -> Iterable[tuple[Slot, list[int]]]:
        places: dict[Slot, list[int]] = {}
        for place, key in enumerate(keys):
            places.setdefault(self._slot_of(key), []).append(place)
        return places.items()

    def _slot(self, storage: str, entity: str | None) -> Slot:
        slot = self._named.get((storage, entity))
        if slot is None:
            wanted = storage if entity is None else f"{storage}({entity})"
            raise UnknownStorageError(
                f"{wanted} is not among the storages it uses",
                state=self.name,
                storage=storage,
                entity=entity,
                hint=f"Its STATE and INTENTS name: {', '.join(map(str, self._slots)) or 'none'}",
            )
        return slot

    def _slot_of(self, key: Key) -> Slot:
        slot = self._of_key.get(type(key))
        if slot is not None:
            return slot
        raise UnknownStorageError(
            f"{key!r:.80} is no key of the storages it uses",
            state=self.name,
            storage=type(key).__name__,
            hint="Make one with key(storage, ...)",
        )

    def _error(
        self, kind: type[StateError], slot: Slot, message: str, key: Key, *, hint: str = ""
    ) -> StateError:
        return kind(message, state=self.name, storage=slot.storage, entity=slot.entity, key=key, hint=hint)

    def _unsupported(self, slot: Slot, operation: Operation, key: Key) -> StateError:
        may = ", ".join(sorted(slot.allowed)) or "no operation"
        hint = f"It may be used with {may}"
        return self._error(UnsupportedError, slot, f"{slot} has no {operation} here", key, hint=hint)
