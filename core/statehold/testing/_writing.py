from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

import msgspec
import pytest

from statehold.sdk import Intent, Key, Operation, Value, fields
from statehold.testing._case import Case
from statehold.testing._open import OpenStorage
from statehold.testing._samples import plain_value
from statehold.testing._scenario import Facts, scenario

INSERT, UPDATE = Operation.INSERT, Operation.UPDATE
Fields = Mapping[str, object]


def _writes(facts: Facts) -> bool:
    return facts.writes


def _changes(facts: Facts) -> bool:
    return facts.made_up and bool(facts.value)


class Unstorable:
    """What no storage can keep: whatever is done with it raises."""

    def _raise(self, *_: object) -> NoReturn:
        raise RuntimeError("this value cannot be stored")

    __bytes__ = __eq__ = __float__ = __format__ = __getattr__ = __hash__ = __index__ = __int__ = _raise
    __iter__ = __len__ = __reduce__ = __reduce_ex__ = __repr__ = __sizeof__ = __str__ = _raise


class Writing(Case):
    """INSERT and UPDATE are asked for, checked, and then applied together or not at all."""

    @scenario("W1", INSERT, need=lambda facts: facts.samples or facts.any_row)
    def test_w1_takes_every_sample_row(self) -> None:
        """An INSERT of every sample row is validated and applied without an error."""
        opened, workspace = self.open(), self.workspace()
        for key, value in self.samples(4):
            self.apply(opened, [opened.facade.insert(opened.key(workspace, **key), value)])

    @scenario("W2", INSERT, need=_writes)
    def test_w2_insert_is_found(self) -> None:
        """What was just inserted is there, even in a storage that may forget."""
        opened, workspace = self.open(), self.workspace()
        for key, value in self.samples(4):
            at = opened.key(workspace, **key)
            expected = self.put(opened, at, opened.value(**value))
            got = self.look(opened, at)
            assert got == expected, f"row {at!a:.200}: expected {expected!a:.200}, got {got!a:.200}"

    @scenario("W3", INSERT, need=_changes)
    def test_w3_insert_replaces(self) -> None:
        """An INSERT over a row replaces it whole: fields that are not given are empty again."""
        opened, workspace = self.open(), self.workspace()
        (key, value), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        self.put(opened, at, opened.value(**value))
        bare = {
            field.name: plain_value([field], 77)[field.name] for field in self.facts.value if field.required
        }
        expected = self.put(opened, at, opened.value(**bare))
        self.check(opened, at, expected, "the second INSERT")

    @scenario("W4", UPDATE, need=_changes)
    def test_w4_update_merges(self) -> None:
        """An UPDATE changes the fields it names and keeps the others."""
        opened, workspace = self.open(), self.workspace()
        (key, value), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        existing = self.put(opened, at, opened.value(**value))
        for field in self.facts.value:
            changes = plain_value([field], 99)
            kept = dict(changes)
            self.apply(opened, [opened.facade.update(at, existing, changes)])
            assert changes == kept, "UPDATE changed the mapping of changes it was given"
            existing = self.updated(at, existing, changes)
            self.check(opened, at, existing, f"the UPDATE of {field.name}")

    @scenario("W5", INSERT, need=_writes)
    def test_w5_an_intent_changes_nothing(self) -> None:
        """Asking for an INSERT or an UPDATE and dropping the intent leaves every row as it was."""
        opened, workspace = self.open(), self.workspace()
        old, new = self.old_and_new(opened, workspace)
        for key, value in {**old, **new}.items():
            opened.facade.insert(key, value)
            if UPDATE in self.facts.operations and key in old:
                opened.facade.update(key, old[key], fields(value))
        self.unchanged(opened, old, new, "after intents that were dropped")

    @scenario("W6", INSERT, need=_writes)
    def test_w6_validate_changes_nothing(self) -> None:
        """`validate` leaves every row as it was, and the list it is given."""
        opened, workspace = self.open(), self.workspace()
        old, new = self.old_and_new(opened, workspace)
        intents = [opened.facade.insert(key, value) for key, value in {**old, **new}.items()]
        kept = list(intents)
        opened.writer.validate(intents)
        assert intents == kept, "validate() changed the list of items it was given"
        self.unchanged(opened, old, new, "after validate()")

    @scenario("W7", INSERT, need=_changes)
    def test_w7_the_last_item_of_a_batch_wins(self) -> None:
        """A batch is applied in its order: of two items for one key, the later one stands."""
        opened, workspace = self.open(), self.workspace()
        (key, _), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        values = [opened.value(**plain_value(self.facts.value, n)) for n in (1, 2, 0, 1)]
        for last in range(1, len(values) + 1):
            intents = [opened.facade.insert(at, value) for value in values[:last]]
            kept = list(intents)
            self.apply(opened, intents)
            assert intents == kept, "apply_batch() changed the list of items it was given"
            self.check(opened, at, self.stored(at, values[last - 1]), f"a batch of {last} items for one key")

    @scenario("W8", INSERT, UPDATE, need=_changes)
    def test_w8_a_batch_mixes_inserts_and_updates(self) -> None:
        """One batch may insert rows and update others; all of it happens, in its order."""
        opened, workspace = self.open(), self.workspace()
        rows = list(self.fill(opened, workspace, 3).items())
        (key, existing), *others = rows
        changes = plain_value(self.facts.value, 41)
        fresh = opened.value(**plain_value(self.facts.value, 42))
        intents = [opened.facade.insert(other, fresh) for other, _ in others]
        intents += [opened.facade.update(key, existing, changes)]
        intents += [
            opened.facade.update(other, self.stored(other, fresh), changes) for other, _ in others[:1]
        ]
        self.apply(opened, intents)
        self.check(opened, key, self.updated(key, existing, changes), "the updated row")
        for number, (other, _) in enumerate(others):
            expected = self.stored(other, fresh)
            if number == 0:
                expected = self.updated(other, expected, changes)
            self.check(opened, other, expected, "a row that was inserted in the same batch")

    @scenario("W9", INSERT, need=lambda facts: facts.refused)
    def test_w9_a_refused_item_stops_the_batch(self) -> None:
        """A batch with an item that the storage refuses raises, and none of it has happened."""
        opened, workspace = self.open(), self.workspace()
        old, new = self.old_and_new(opened, workspace) if self.facts.writes else ({}, {})
        for key, value in self.given("refused"):
            good = [opened.facade.insert(at, one) for at, one in new.items()]
            with pytest.raises(Exception):  # noqa: B017, PT011, PT012 - any error will do
                bad = opened.facade.insert(opened.key(workspace, **key), value)
                self.apply(opened, [*good[:1], bad, *good[1:]])
            self.unchanged(opened, old, new, "after a batch with a refused item")

    @scenario("W10", INSERT, need=_changes)
    def test_w10_a_failing_batch_has_not_happened(self) -> None:
        """If `apply_batch` fails at an item, none of the items has happened, and the storage works on.

        The failure is provoked by a value that cannot be stored, and by the rows of `refused`, without
        asking `validate` first. A storage that does not fail at them has nothing to take back.
        """
        for bad in self.bad_intents():
            opened, workspace = self.open(folder=f"bad-{self.workspace()}"), self.workspace()
            old, new = self.old_and_new(opened, workspace)
            overwritten = {key: opened.value(**plain_value(self.facts.value, 55)) for key in old}
            good = [opened.facade.insert(key, one) for key, one in {**overwritten, **new}.items()]
            try:
                opened.writer.apply_batch([*good, bad(opened, workspace), *good])
            except Exception:  # noqa: BLE001 - a failure of any kind is what is asked for
                self.unchanged(opened, old, new, "after apply_batch() failed at an item")
                for key, value in new.items():
                    self.check(opened, key, self.put(opened, key, value), "an INSERT after the failure")
            with contextlib.suppress(Exception):
                self.free(opened)

    @scenario("W11", INSERT)
    def test_w11_an_empty_batch_is_nothing(self) -> None:
        """A batch without items is validated and applied without an error."""
        opened = self.open()
        opened.writer.validate([])
        opened.writer.apply_batch([])

    @scenario("W12", INSERT, need=_changes)
    def test_w12_a_value_in_hand_never_changes(self) -> None:
        """A value that a caller gave or got stays as it is, whatever is written later."""
        opened, workspace = self.open(), self.workspace()
        (key, _), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        given = opened.value(**plain_value(self.facts.value, 1))
        before = fields(given)
        self.put(opened, at, given)
        got = self.look(opened, at)
        seen = None if got is None else fields(got)
        self.put(opened, at, opened.value(**plain_value(self.facts.value, 2)))
        if UPDATE in self.facts.operations:
            changes = plain_value(self.facts.value, 3)
            self.apply(opened, [opened.facade.update(at, given, changes)])
        assert fields(given) == before, "a value that was inserted has changed in the caller's hand"
        assert got is None or fields(got) == seen, (
            "a value that was returned has changed in the caller's hand"
        )

    def old_and_new(self, opened: OpenStorage, workspace: int) -> tuple[dict[Key, Value], dict[Key, Value]]:
        """Put half of some samples; return them, and the other half as rows that are not there."""
        rows = self.samples(6)
        half = (len(rows) + 1) // 2
        old = {}
        for key, value in rows[:half]:
            at = opened.key(workspace, **key)
            old[at] = self.put(opened, at, opened.value(**value))
        new = {opened.key(workspace, **key): opened.value(**value) for key, value in rows[half:]}
        return old, new

    def unchanged(
        self, opened: OpenStorage, old: dict[Key, Value], new: dict[Key, Value], where: str
    ) -> None:
        """Fail unless *old* rows stand as they were and *new* ones are not there."""
        for key, value in old.items():
            self.check(opened, key, value, f"row {key!a:.200} {where}")
        for key in new:
            got = self.look(opened, key)
            assert got is None, f"row {key!a:.200} {where}: expected None, got {got!a:.200}"

    def bad_intents(self) -> Sequence[Callable[[OpenStorage, int], Intent]]:
        """Return functions that make an intent at which `apply_batch` may fail."""

        def unstorable(opened: OpenStorage, workspace: int) -> Intent:
            (key, value), *_ = self.samples(1)
            good = opened.value(**value)
            bad = msgspec.structs.replace(good, **{self.facts.value[-1].name: Unstorable()})
            return Intent(opened.key(workspace, **key), bad, is_new=True)

        def refused(key: Fields, value: Fields) -> Callable[[OpenStorage, int], Intent]:
            return lambda opened, workspace: Intent(
                opened.key(workspace, **key), opened.value(**value), is_new=True
            )

        return [unstorable, *(refused(key, value) for key, value in self.given("refused"))]
