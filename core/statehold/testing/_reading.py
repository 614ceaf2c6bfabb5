from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator

from statehold.sdk import Key, Operation, Value, fields
from statehold.testing._case import Case
from statehold.testing._open import OpenStorage
from statehold.testing._patience import within
from statehold.testing._same import assert_rows, assert_same
from statehold.testing._scenario import Facts, scenario

GET, GETBATCH, READ, INSERT = Operation.GET, Operation.GETBATCH, Operation.READ, Operation.INSERT
_ROWS = 8


def _rows(facts: Facts) -> bool:
    return facts.rows


def _missing(facts: Facts) -> bool:
    return facts.missing


def _prefixes(facts: Facts) -> bool:
    return facts.rows and not facts.whole_keys


class Getting(Case):
    """GET and GETBATCH answer what is asked, in the order it is asked."""

    @scenario("G1", GET, need=_rows)
    def test_g1_get_finds_every_row(self) -> None:
        """GET of a row that is there returns its value."""
        opened, workspace = self.open(), self.workspace()
        for key, value in self.fill(opened, workspace, _ROWS).items():
            self.check_named(opened.facade.get(key), key, value)

    @scenario("G2", GET, need=_missing)
    def test_g2_get_of_a_missing_key_is_none(self) -> None:
        """GET of a key that has no row returns None and raises nothing."""
        opened, workspace = self.open(), self.workspace()
        self.fill(opened, workspace, _ROWS)
        for absent in self.absent(_ROWS):
            assert_same(None, opened.facade.get(opened.key(workspace, **absent)), f"GET of missing {absent}")

    @scenario("G3", GETBATCH, need=_rows)
    def test_g3_getbatch_answers_in_order(self) -> None:
        """GETBATCH answers every key at the place where it was asked, whatever the order."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, _ROWS)
        keys = list(rows)
        for order in (keys, keys[::-1], keys[1::2] + keys[::2]):
            self.check_batch(opened, order, rows)

    @scenario("G4", GETBATCH, need=_rows)
    def test_g4_getbatch_keeps_duplicates(self) -> None:
        """GETBATCH answers a key as often as it was asked."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 2)
        first, *others = rows
        self.check_batch(opened, [first, first, *others, first], rows)

    @scenario("G5", GETBATCH, need=_missing)
    def test_g5_getbatch_of_missing_keys_is_none_at_their_place(self) -> None:
        """GETBATCH has None at the place of every key without a row."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 2)
        absent = [opened.key(workspace, **key) for key in self.absent(2)]
        self.check_batch(opened, [*absent[:1], *rows, *absent[1:]], rows)

    @scenario("G6", GETBATCH)
    def test_g6_getbatch_of_nothing_is_nothing(self) -> None:
        """GETBATCH of no key has no answer."""
        assert list(self.open().facade.get_batch([])) == []

    def check_batch(self, opened: OpenStorage, keys: list[Key], rows: dict[Key, Value]) -> None:
        """Fail unless GETBATCH of *keys* answers from *rows*."""
        asked = list(keys)
        answers = opened.facade.get_batch(asked)
        assert asked == keys, "GETBATCH changed the list of keys it was given"
        assert len(answers) == len(keys), f"{len(keys)} keys were asked, {len(answers)} answered"
        for key, answer in zip(keys, answers, strict=True):
            if key in rows:
                self.check_named(answer, key, rows[key])
            else:
                assert_same(None, answer, f"GETBATCH of missing {key!a:.200}")

    def check_named(self, got: Value | None, key: Key, expected: Value) -> None:
        """Fail unless *got* is *expected*; of a row that was not written here, only what the sample names."""
        if got is None and self.may_forget:
            return
        if INSERT in self.facts.operations:
            assert_same(expected, got, f"row {key!a:.200}")
            return
        named = next(
            value
            for sample, value in self.given("rows")
            if all(getattr(key, name) == one for name, one in sample.items())
        )
        assert isinstance(got, Value), f"row {key!a:.200}: expected a Value, got {got!a:.200}"
        for name in named:
            wanted, found = getattr(expected, name), getattr(got, name)
            assert wanted == found, f"row {key!a:.200}: {name}: expected {wanted!a:.200}, got {found!a:.200}"


class Reading(Getting):
    """READ yields what stands under a prefix, and holds nothing when it is left."""

    @scenario("R1", READ, need=_prefixes)
    def test_r1_read_by_every_prefix(self) -> None:
        """READ yields exactly the rows that start with the fields given, for every number of fields."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 4 * _ROWS)
        names = [field.name for field in self.facts.key]
        for count in range(self.read_by, len(names) + 1):
            for prefix in {tuple(getattr(key, name) for name in names[:count]) for key in rows}:
                under = {
                    key: value
                    for key, value in rows.items()
                    if tuple(getattr(key, name) for name in names[:count]) == prefix
                }
                asked = dict(zip(names, prefix, strict=False))
                found = list(opened.facade.read(opened.prefix(workspace, **asked)))
                if INSERT in self.facts.operations:
                    assert_rows(under, found, f"READ by {asked}", may_forget=self.may_forget)
                    continue
                self.check_yielded(under, found, asked)

    @scenario("R2", READ, need=lambda facts: facts.whole_keys and facts.rows)
    def test_r2_read_by_whole_keys(self) -> None:
        """READ by all that a sample row names yields the row."""
        opened, workspace = self.open(), self.workspace()
        for key, value in self.fill(opened, workspace, _ROWS).items():
            answers = [found for _, found in opened.facade.read(key)]
            assert len(answers) == 1, f"READ of {key!a:.200} yielded {len(answers)} rows"
            self.check_named(answers[0], key, value)

    @scenario("R3", READ, need=lambda facts: facts.missing and not facts.whole_keys)
    def test_r3_read_of_nothing_yields_nothing(self) -> None:
        """READ by a prefix that no row has yields nothing and raises nothing."""
        opened, workspace = self.open(), self.workspace()
        self.fill(opened, workspace, _ROWS)
        for absent in self.absent(_ROWS):
            found = list(opened.facade.read(opened.key(workspace, **absent)))
            assert not found, f"READ of missing {absent} yielded {found[0]!a:.200}"

    @scenario("R4", READ, need=_rows)
    def test_r4_read_may_be_left_at_any_row(self) -> None:
        """After a READ was left at any row, everybody can go on, and a new READ is whole."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 5)
        for stop in range(len(rows) + 1):
            reading = self.read_any(opened, rows)
            for _ in itertools.islice(reading, stop):
                pass
            close = getattr(reading, "close", None)
            if close is not None:
                close()
            del reading, close
            gc.collect()
            within(self.patience / 3, self.go_on, opened, rows)

    @scenario("R5", READ, need=_rows)
    def test_r5_read_keeps_nobody_out(self) -> None:
        """While a READ stands at a row, its caller and all others can read and write."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 5)
        reading = self.read_any(opened, rows)
        next(reading, None)
        try:
            within(self.patience / 3, self.go_on, opened, rows)
        finally:
            close = getattr(reading, "close", None)
            if close is not None:
                close()

    @scenario("R6", READ, need=_prefixes)
    def test_r6_reads_do_not_disturb_each_other(self) -> None:
        """Two READs taken in turns yield the same as one."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 5)
        first, second = self.read_any(opened, rows), self.read_any(opened, rows)
        assert isinstance(first, Iterator), f"expected READ to return an iterator, got {first!r:.100}"
        pairs = within(self.patience, list, itertools.zip_longest(first, second))
        assert all(one == other for one, other in pairs), "two READs taken in turns differ"
        expected = len(self.beside(opened, rows, next(iter(rows))))
        assert self.may_forget or len(pairs) >= expected, f"expected {expected} rows, got {len(pairs)}"

    @scenario("R7", READ, need=lambda facts: facts.ordered and facts.rows)
    def test_r7_read_is_ordered(self) -> None:
        """READ yields rows in the order of their keys' fields."""
        opened, workspace = self.open(), self.workspace()
        rows = self.fill(opened, workspace, 4 * _ROWS)
        keys = [tuple(fields(key).values()) for key, _ in self.read_any(opened, rows)]
        assert keys == sorted(keys), f"expected rows in the order of their keys, got {keys!a:.500}"

    def read_any(self, opened: OpenStorage, rows: dict[Key, Value]) -> Iterator[tuple[Key, Value]]:
        """Start a READ of the first row, and of all others that it can yield."""
        return opened.facade.read(self.widest(opened, next(iter(rows))))

    def go_on(self, opened: OpenStorage, rows: dict[Key, Value]) -> None:
        """Use the storage in every way it has."""
        key, value = next(iter(rows.items()))
        if INSERT in self.facts.operations:
            self.apply(opened, [opened.facade.insert(key, value)])
        if GET in self.facts.operations:
            self.check_named(opened.facade.get(key), key, value)
        found = sum(1 for _ in self.read_any(opened, rows))
        expected = len(self.beside(opened, rows, key))
        assert found >= expected or self.may_forget, f"expected {expected} rows, got {found}"

    def check_yielded(
        self, expected: dict[Key, Value], found: list[tuple[Key, Value]], asked: dict[str, object]
    ) -> None:
        """Fail unless every expected row is found; a storage from outside may have more."""
        answers = dict(found)
        for key, value in expected.items():
            assert key in answers, f"READ by {asked}: left out {key!a:.200}"
            self.check_named(answers[key], key, value)
