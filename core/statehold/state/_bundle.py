from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from statehold.sdk import Intent, Key, Rank, Value
from statehold.state._slot import Slot
from statehold.state._state import State, Storages


class BundledState(State):
    """The state of an asynchronous projector: what it applies is held back, and written in bundles.

    Reads see what is bundled, never what is pending. The last intent on a key replaces those before it,
    at the place of the first; intents of effects, such as mails, are kept one by one.

    Args:
        name: whose state it is, for messages.
        slots: the storages that the projector's STATE and INTENTS name.
        storages: the open storages behind them, by name.
        workspace: the workspace of keys that name none; changes from event to event.
        limit: how many intents one event may ask for.
        bundle_limit: how many rows may be bundled before they should be flushed.
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
        bundle_limit: int,
        commit: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(name, slots, storages, workspace=workspace, limit=limit, commit=commit)
        self._bundle_limit = bundle_limit
        self._rows: dict[Slot, dict[Key, Intent]] = {
            slot: {} for slot in self._slots if slot.rank is not Rank.EFFECT
        }
        self._effects: dict[Slot, list[Intent]] = {
            slot: [] for slot in self._slots if slot.rank is Rank.EFFECT
        }

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
        intent = self._rows.get(self._slot_of(key), {}).get(key)
        return super().get(key) if intent is None else intent.value

    def get_all(self, keys: Iterable[Key]) -> list[Value | None]:
        """Return one answer per key, bundled or stored, in the order of *keys*."""
        keys = list(keys)
        bundled = {key: self._rows.get(self._slot_of(key), {}).get(key) for key in keys}
        stored = iter(super().get_all(key for key in keys if bundled[key] is None))
        return [next(stored) if (intent := bundled[key]) is None else intent.value for key in keys]

    def read(self, key: Key) -> Iterator[tuple[Key, Value]]:
        """Yield the rows whose keys start with *key*, after a flush if rows of that entity are bundled."""
        if self._rows.get(self._slot_of(key)):
            self.flush()
        return super().read(key)

    def apply_intents(self) -> None:
        """Validate what is pending and bundle it. Nothing is bundled where a storage refuses.

        The intents are gone afterwards in any case; call `flush` when `is_full`, or when time is up.
        """
        try:
            built = self._built()
            for storage, items in self._batches(built):
                storage.validate(items)
        finally:
            self.clear_intents()
        for slot, items in built:
            if slot.rank is Rank.EFFECT:
                self._effects[slot] += items
            else:
                self._rows[slot].update((item.key, item) for item in items)

    def flush(self) -> None:
        """Apply all bundles: the row store in one commit, others, effects last.

        What a storage refused stays bundled, with all that comes after it, and is flushed again next time.
        """
        bundles = [(slot, list(rows.values())) for slot, rows in self._rows.items() if rows]
        for rank in Rank:
            self._flush_rank(rank, bundles if rank is not Rank.EFFECT else list(self._effects.items()))

    def _flush_rank(self, rank: Rank, bundles: list[tuple[Slot, list[Intent]]]) -> None:
        part = [(slot, items) for slot, items in bundles if slot.rank is rank and items]
        if rank is Rank.ROWS:
            # One commit for all: they leave their bundles together or not at all.
            self._apply(part)
            self._forget(slot for slot, _ in part)
            return
        by_storage: dict[str, list[tuple[Slot, list[Intent]]]] = {}
        for slot, items in part:
            by_storage.setdefault(slot.storage, []).append((slot, items))
        for one in by_storage.values():
            self._apply(one)
            self._forget(slot for slot, _ in one)

    def _forget(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._rows.get(slot, {}).clear()
            self._effects.get(slot, []).clear()
