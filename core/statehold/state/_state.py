from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from statehold.sdk import CallContext, Intent, IStateStorage, IWithApplyBatch, Key, Operation, Rank, Value
from statehold.state._builder import ValueBuilder
from statehold.state._errors import ExistsError, IntentLimitError, NotExistsError, StateError
from statehold.state._record import IntentRecord
from statehold.state._slot import Slot
from statehold.state._uses import Uses

# Members of enums, each of which a call would look up for longer than it takes to use it.
_INSERT: Final = Operation.INSERT
_UPDATE: Final = Operation.UPDATE
_ROWS: Final = Rank.ROWS

Built = list[tuple[Slot, list[Intent]]]
Batch = tuple[Slot, IWithApplyBatch, list[Intent]]


class State:
    """What one extension sees of its storages in one call: what is stored, and the changes it asks for.

    Reads do not see pending intents. Two intents on one key are both kept and applied in order. An operation
    that the extension may not use raises ScopeError. A storage is bound to the call when it is first used.

    Args:
        uses: the storages that the extension uses.
        call: the call; keys that name no workspace are of its workspace.
        limit: how many intents the call may ask for.

    """

    __slots__ = ("_asked", "_bound", "_limit", "_pending", "call", "uses")

    def __init__(self, uses: Uses, call: CallContext, *, limit: int = 1000) -> None:
        self.uses = uses
        self.call = call
        self._limit = limit
        self._bound: dict[str, IStateStorage] = {}
        self._pending: dict[Slot, list[ValueBuilder]] = {}
        self._asked = 0

    @property
    def name(self) -> str:
        """Whose state it is: `COMMAND bills.Pay`."""
        return self.uses.who

    @property
    def workspace(self) -> int:
        """The workspace of keys that name none."""
        return self.call.workspace

    def key(self, storage: str, entity: str | None = None, /, **fields: object) -> Key:
        """Return the key of one row; WSID is the call's workspace unless it is given."""
        slot = self.uses.slot(storage, entity)
        return slot.rows.key(fields.pop("WSID", self.call.workspace), **fields)

    def prefix(self, storage: str, entity: str | None = None, /, **fields: object) -> Key:
        """Return a key for `read` whose trailing fields may be left out."""
        slot = self.uses.slot(storage, entity)
        return slot.rows.prefix(fields.pop("WSID", self.call.workspace), **fields)

    def get(self, key: Key) -> Value | None:
        """Return the value under *key*, or None; by GETBATCH where the storage has no GET."""
        slot = self.uses.of_key.get(type(key)) or self.uses.not_found(key)
        return slot.get(slot.impl if slot.bind is None else self._impl(slot), key)

    def get_all(self, keys: Iterable[Key]) -> list[Value | None]:
        """Return one answer per key, in the order of *keys*, duplicates included.

        The keys of one storage are looked up at once where it has GETBATCH.
        """
        keys = list(keys)
        answers: list[Value | None] = [None] * len(keys)
        for slot, places in self._by_slot(keys):
            found = slot.get_batch(self._impl(slot), [keys[place] for place in places])
            for place, value in zip(places, found, strict=True):
                answers[place] = value
        return answers

    def must_exist(self, key: Key) -> Value:
        """Return the value under *key*, or raise NotExistsError."""
        value = self.get(key)
        if value is None:
            raise self._missing(key)
        return value

    def must_exist_all(self, keys: Iterable[Key]) -> list[Value]:
        """Return the values under *keys*, or raise NotExistsError for the first that is missing."""
        keys = list(keys)
        values = []
        for key, value in zip(keys, self.get_all(keys), strict=True):
            if value is None:
                raise self._missing(key)
            values.append(value)
        return values

    def must_not_exist(self, key: Key) -> None:
        """Raise ExistsError if there is a row under *key*."""
        if self.get(key) is not None:
            raise self._present(key)

    def must_not_exist_all(self, keys: Iterable[Key]) -> None:
        """Raise ExistsError for the first of *keys* under which there is a row."""
        keys = list(keys)
        for key, value in zip(keys, self.get_all(keys), strict=True):
            if value is not None:
                raise self._present(key)

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Return the rows whose keys start with *key*; the caller may stop at any row."""
        slot = self._slot_of(key)
        rows: Iterator[tuple[Key, Value]] = slot.read(self._impl(slot), key)
        return rows

    def new_value(self, key: Key, /, **fields: object) -> ValueBuilder:
        """Ask for an INSERT and return its value, which may be put to until it is applied."""
        return self._ask(_INSERT, key, None, fields)

    def insert(self, key: Key, fields: dict[str, object]) -> ValueBuilder:
        """Do what `new_value` does, of fields in a dict, which is the builder's from now on."""
        return self._ask(_INSERT, key, None, fields)

    def update_value(self, key: Key, existing: Value, /, **changes: object) -> ValueBuilder:
        """Ask for an UPDATE of *existing* and return its value, which may be put to until it is applied."""
        return self._ask(_UPDATE, key, existing, changes)

    def give(self, key: Key, fields: Mapping[str, object]) -> None:
        """Ask for an INSERT of a value to which nothing is put later; a streamed storage gets it at once."""
        slot = self._slot_of(key)
        if not slot.streamed:
            self.new_value(key, **fields).build()
            return
        if slot in self._pending:
            self._send(slot)
        impl = cast("IWithApplyBatch", self._impl(slot))
        item = slot.insert(impl, key, slot.rows.value(**fields))
        impl.validate([item])
        slot.apply(impl, [item])

    def find_intent(self, key: Key, *, is_new: bool | None = None) -> ValueBuilder | None:
        """Return the first pending intent on *key*, of that kind if one is asked for, or None."""
        for builder in self._pending.get(self._slot_of(key), ()):
            if builder.key == key and is_new in (None, builder.is_new):
                return builder
        return None

    @property
    def intents_count(self) -> int:
        """How many intents are pending."""
        return sum(map(len, self._pending.values())) if self._pending else 0

    def intents(self) -> Iterator[tuple[Slot, Intent]]:
        """Yield the pending intents in the order in which they will be applied."""
        for slot, items in self._built():
            for item in items:
                yield slot, item

    def asked(self) -> Iterator[tuple[Slot, ValueBuilder]]:
        """Yield the pending intents as they were asked for, in the order in which they will be applied."""
        for slot in sorted(self._pending, key=self.uses.order.__getitem__):
            for builder in self._pending[slot]:
                yield slot, builder

    def validate_intents(self) -> None:
        """Let every storage check what is pending; nothing is applied and nothing is forgotten."""
        for _, storage, items in self._batches(self._built()):
            storage.validate(items)

    def stage(self) -> None:
        """Write what stands on the row store into the call's unit, which the caller then commits.

        These intents are gone afterwards; if a storage refuses, all are, and the unit is to be dropped.
        """
        self._apply(_ROWS)

    def prepare(self) -> None:
        """Do what `validate_intents` and `stage` do, in one walk over what is pending.

        Nothing is staged where a storage does not validate. If one refuses, all intents are gone.
        """
        if not self._pending:
            return
        try:
            if len(self._pending) == 1:
                self._prepare_one()
                return
            built = self._built()
            batches = self._batches(built)
            for _, storage, items in batches:
                storage.validate(items)
            rows = [one for one in built if one[0].rank is _ROWS]
            for slot, storage, items in batches if len(rows) == len(built) else self._batches(rows):
                slot.apply(storage, items)
        except BaseException:
            self.clear_intents()
            raise
        for slot, _ in rows:
            del self._pending[slot]

    def settle(self) -> None:
        """Apply all other intents, each storage's part all or none, effects last; after the commit.

        The intents are gone afterwards, also when a storage refuses; those after it are not applied then.
        """
        self._apply(Rank.STORAGE, Rank.EFFECT)

    def apply_intents(self, *, commit: Callable[[], object] | None = None) -> None:
        """Validate what is pending, stage it, commit, and settle: all of a call that has a unit of its own.

        Nothing is applied where a storage does not validate; the intents are gone in any case.
        """
        if self._pending:
            self.prepare()
        if commit is not None:
            commit()
        if self._pending:
            self.settle()

    def clear_intents(self) -> None:
        """Forget what is pending."""
        self._pending.clear()
        self._asked = 0

    def deferred(self, *, but: Collection[str] = ()) -> list[IntentRecord]:
        """Return as data what `settle` would apply, except on the storages named in *but*."""
        return [
            IntentRecord.of(slot.storage, slot.entity, item)
            for slot, items in self._built()
            if slot.rank is not _ROWS and slot.storage not in but
            for item in items
        ]

    def restore(self, records: Iterable[IntentRecord]) -> None:
        """Let what `deferred` returned be pending again, in a state of the same extension, without a limit.

        Raises:
            StateholdError: the extension does not use such a storage any more, or its fields are others.

        """
        for record in records:
            slot = self.uses.slot(record.storage, record.entity)
            builder = ValueBuilder.of(slot, self._impl(slot), record.intent(slot.rows))
            self._pending.setdefault(slot, []).append(builder)

    def hand_over(self, built: Built) -> None:
        """Apply intents that were pending in another state, as this state's call sees their storages."""
        for slot, storage, items in self._batches(built):
            slot.apply(storage, items)

    def _prepare_one(self) -> None:
        """Do what `prepare` does where one storage, or one entity of it, is changed: most often."""
        ((slot, asked),) = self._pending.items()
        items = [one.build() for one in asked]
        storage: Any = self._impl(slot)
        storage.validate(items)
        if slot.rank is _ROWS:
            slot.apply(storage, items)
            del self._pending[slot]

    def _apply(self, *ranks: Rank) -> None:
        if not self._pending:
            return
        try:
            self.hand_over([one for one in self._built() if one[0].rank in ranks])
        except BaseException:
            self.clear_intents()
            raise
        self._pending = {slot: some for slot, some in self._pending.items() if slot.rank not in ranks}

    def _built(self) -> Built:
        order, pending = self.uses.order, self._pending
        slots = sorted(pending, key=order.__getitem__) if len(pending) > 1 else pending
        return [(slot, [one.build() for one in pending[slot]]) for slot in slots]

    def _batches(self, built: Built) -> list[Batch]:
        """Return one batch per storage: its entities are slots of their own, and still one batch."""
        if len(built) == 1:
            ((slot, items),) = built
            storage: Any = self._impl(slot)
            return [(slot, storage, items)]
        batches: dict[str, Batch] = {}
        for slot, items in built:
            if slot.storage not in batches:
                batches[slot.storage] = slot, cast("IWithApplyBatch", self._impl(slot)), []
            batches[slot.storage][2].extend(items)
        return list(batches.values())

    def _ask(
        self, operation: Operation, key: Key, existing: Value | None, fields: Mapping[str, object]
    ) -> ValueBuilder:
        slot = self.uses.of_key.get(type(key)) or self.uses.not_found(key)
        impl = self._impl(slot)
        if operation not in slot.allowed:
            (slot.insert if existing is None else slot.update)(impl, key)
        if slot.streamed:
            self._send(slot)
        elif self._asked >= self._limit:
            message = f"{key!r}: more than {self._limit} intents in one call"
            raise self._error(IntentLimitError, message, key, hint="Ask for fewer changes per call")
        builder = ValueBuilder(slot, impl, key, existing, fields)
        pending = self._pending.get(slot)
        if pending is None:
            self._pending[slot] = [builder]
        else:
            pending.append(builder)
        if not slot.streamed:
            self._asked += 1
        return builder

    def _send(self, slot: Slot) -> None:
        asked = self._pending.pop(slot, [])
        for _, storage, items in self._batches([(slot, [one.build() for one in asked])] if asked else []):
            storage.validate(items)
            slot.apply(storage, items)

    def _impl(self, slot: Slot) -> IStateStorage:
        if slot.bind is None:
            return slot.impl
        impl = self._bound.get(slot.storage)
        if impl is None:
            impl = self._bound[slot.storage] = slot.bind(self.call)
        return impl

    def _by_slot(self, keys: Sequence[Key]) -> Iterable[tuple[Slot, list[int]]]:
        places: dict[Slot, list[int]] = {}
        for place, key in enumerate(keys):
            places.setdefault(self._slot_of(key), []).append(place)
        return places.items()

    def _slot_of(self, key: Key) -> Slot:
        return self.uses.of_key.get(type(key)) or self.uses.not_found(key)

    def _missing(self, key: Key) -> StateError:
        return self._error(NotExistsError, f"{key!r} does not exist", key)

    def _present(self, key: Key) -> StateError:
        return self._error(ExistsError, f"{key!r} exists already", key)

    def _error(self, kind: type[StateError], message: str, key: Key, *, hint: str = "") -> StateError:
        slot = self._slot_of(key)
        return kind(message, state=self.name, storage=slot.storage, entity=slot.entity, key=key, hint=hint)
