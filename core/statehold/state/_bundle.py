from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from statehold.sdk import CallContext, Intent, Key, Operation, Rank, Value
from statehold.state._slot import Slot
from statehold.state._state import Built, State
from statehold.state._uses import Uses

_GETS: Final = frozenset({Operation.GET, Operation.GETBATCH})


class BundledState(State):
    """The state of an asynchronous projector: what it applies is held back, and written in bundles.

    Reads see what is bundled, never what is pending. The last intent on a key replaces those before it,
    at the place of the first, and is an INSERT if one of them is; intents of effects, such as mails, are kept
    one by one.

    A flush is `stage(call)`, a commit of the call's unit together with what else belongs into it, such as
    the offset of the last event, and `settle()`. Whatever fails on the way stays bundled for the next flush.

    Args:
        uses: the storages that the projector uses.
        call: the first call; `bind` it to the next one.
        limit: how many intents one event may ask for.
        bundle_limit: how many rows may be bundled before they should be flushed.
        flush: does so, by these steps: what `flush` calls, and a READ that must see what is bundled.

    """

    __slots__ = ("_bundle_limit", "_effects", "_flush", "_flushing", "_rows")

    def __init__(
        self,
        uses: Uses,
        call: CallContext,
        *,
        limit: int = 1000,
        bundle_limit: int = 100,
        flush: Callable[[BundledState], object],
    ) -> None:
        super().__init__(uses, call, limit=limit)
        self._bundle_limit = bundle_limit
        self._flush = flush
        self._rows: dict[Slot, dict[Key, Intent]] = {}
        self._effects: dict[Slot, list[Intent]] = {}
        self._flushing: State | None = None

    def bind(self, call: CallContext) -> None:
        """Go on with another call; what the one before has not applied is forgotten."""
        self.clear_intents()
        self.call = call
        self._bound = {}

    @property
    def bundled(self) -> int:
        """How many rows and effects wait to be flushed."""
        return sum(map(len, self._rows.values())) + sum(map(len, self._effects.values()))

    @property
    def is_full(self) -> bool:
        """Whether the bundles have reached their limit."""
        return self.bundled >= self._bundle_limit

    def get(self, key: Key) -> Value | None:
        """Return the value that is bundled under *key*, else what is stored."""
        intent = self._bundled(key)
        return super().get(key) if intent is None else intent.value

    def get_all(self, keys: Iterable[Key]) -> list[Value | None]:
        """Return one answer per key, bundled or stored, in the order of *keys*."""
        keys = list(keys)
        bundled = {key: self._bundled(key) for key in keys}
        stored = iter(super().get_all(key for key in keys if bundled[key] is None))
        return [next(stored) if (intent := bundled[key]) is None else intent.value for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Return the rows whose keys start with *key*, after a flush if rows of that entity are bundled."""
        if self._rows.get(self._slot_of(key)):
            self.flush()
        return super().read(key)

    def flush(self) -> None:
        """Write what is bundled, as the state was told to when it was made."""
        self._flush(self)

    def apply_intents(self, *, commit: Callable[[], object] | None = None) -> None:
        """Validate what is pending and bundle it. Nothing is bundled where a storage refuses.

        The intents are gone afterwards in any case; flush when `is_full`, or when time is up. With *commit*,
        flush at once.
        """
        try:
            built = self._built()
            for _, storage, items in self._batches(built):
                storage.validate(items)
        finally:
            self.clear_intents()
        for slot, items in built:
            if slot.rank is Rank.EFFECT:
                self._effects.setdefault(slot, []).extend(items)
            else:
                rows = self._rows.setdefault(slot, {})
                for item in items:
                    before = rows.get(item.key)
                    # What an UPDATE started from is a row that only the bundle has: it is still an INSERT.
                    still_new = before is not None and before.is_new and not item.is_new
                    rows[item.key] = Intent(item.key, item.value, is_new=True) if still_new else item
        if commit is not None:
            self.stage()
            commit()
            self.settle()

    def stage(self, call: CallContext | None = None) -> None:
        """Write what is bundled for the row store into the unit of *call*, or of the event's call."""
        self._flushing = flushing = State(self.uses, self.call if call is None else call)
        flushing.hand_over(self._part(Rank.ROWS))

    def settle(self) -> None:
        """Take the commit as done: forget what was staged, then apply all else, storage by storage.

        What a storage refuses stays bundled, with all that comes after it.
        """
        flushing, self._flushing = self._flushing, None
        if flushing is None:
            flushing = State(self.uses, self.call)
        else:
            self._forget(self._part(Rank.ROWS))
        by_storage: dict[str, Built] = {}
        for slot, items in self._part(Rank.STORAGE, Rank.EFFECT):
            by_storage.setdefault(slot.storage, []).append((slot, items))
        for part in by_storage.values():
            flushing.hand_over(part)
            self._forget(part)

    def _bundled(self, key: Key) -> Intent | None:
        slot = self._slot_of(key)
        rows = self._rows.get(slot)
        # What the extension may not get it does not get from a bundle either.
        return rows.get(key) if rows and not slot.allowed.isdisjoint(_GETS) else None

    def _part(self, *ranks: Rank) -> Built:
        """Return what is bundled of some ranks, in the order in which it is applied."""
        built = [
            *((slot, list(rows.values())) for slot, rows in self._rows.items() if rows),
            *((slot, effects) for slot, effects in self._effects.items() if effects),
        ]
        order = self.uses.order
        return sorted((one for one in built if one[0].rank in ranks), key=lambda one: order[one[0]])

    def _forget(self, built: Built) -> None:
        for slot, _ in built:
            self._rows.pop(slot, None)
            self._effects.pop(slot, None)
