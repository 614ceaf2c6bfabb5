"""Units: what they read is the store with their own changes in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from statehold.events import LogError, PartitionData
from statehold.rows import MemoryDriver, SqliteDriver, encode

columns = st.tuples(st.integers(-2, 2), st.sampled_from(["", "a", "b\x00"]))
partitions = st.sampled_from([("p",), ("q", 1)])
bounds = st.one_of(columns, st.tuples(st.integers(-3, 3)), st.just(()))


class Units(RuleBasedStateMachine):
    """Any units within each other against dicts within each other."""

    driver_of = MemoryDriver
    schemas = None

    def __init__(self):
        super().__init__()
        self.driver = type(self).driver_of()
        self.data = PartitionData(self.driver.create("x"), 0)
        self.stored = {}
        self.units = []

    def teardown(self):
        self.driver.close()

    @property
    def rows(self):
        return self.units[-1][1]

    @property
    def unit(self):
        return self.units[-1][0]

    @precondition(lambda self: len(self.units) < 4)
    @rule()
    def begin(self):
        unit = self.unit.begin() if self.units else self.data.begin(self.schemas)
        self.units.append((unit, dict(self.rows if self.units else self.stored)))

    @precondition(lambda self: self.units)
    @rule(partition=partitions, clustering=columns, value=st.binary(max_size=2))
    def put(self, partition, clustering, value):
        self.unit.put(partition, clustering, value)
        self.rows[partition, clustering] = value

    @precondition(lambda self: self.units)
    @rule(partition=partitions, clustering=columns)
    def remove(self, partition, clustering):
        self.unit.remove(partition, clustering)
        self.rows.pop((partition, clustering), None)

    @precondition(lambda self: self.units)
    @rule()
    def forget(self):
        self.units.pop()

    @precondition(lambda self: self.units)
    @rule()
    def keep(self):
        unit, rows = self.units.pop()
        if self.units:
            unit.merge()
            self.units[-1] = self.unit, rows
        else:
            unit.commit()
            self.stored = rows

    @precondition(lambda self: self.units)
    @rule(keys=st.lists(st.tuples(partitions, columns), max_size=6))
    def get(self, keys):
        expected = [self.rows.get(key) for key in keys]
        assert [self.unit.get(*key) for key in keys] == expected
        assert self.unit.get_many(keys) == expected

    @precondition(lambda self: self.units)
    @rule(
        partition=partitions,
        start=bounds,
        stop=st.none() | bounds,
        prefix=st.just(()) | st.tuples(st.integers(-2, 2)),
        limit=st.none() | st.integers(0, 4),
        reverse=st.booleans(),
    )
    def read(self, partition, start, stop, prefix, limit, reverse):
        low = encode(prefix) + encode(start)
        high = encode(prefix) + (b"\xff" if stop is None else encode(stop))
        expected = sorted(
            (
                (clustering, value)
                for (own, clustering), value in self.rows.items()
                if own == partition and low <= encode(clustering) < high
            ),
            key=lambda row: encode(row[0]),
            reverse=reverse,
        )
        found = self.unit.read(partition, start, stop, prefix=prefix, limit=limit, reverse=reverse)
        assert [tuple(row) for row in found] == expected[:limit]

    @invariant()
    def the_store_is_what_was_committed(self):
        reader = self.data.reader(self.schemas)
        found = {
            (partition, row.clustering): row.value
            for partition in [("p",), ("q", 1)]
            for row in reader.read(partition)
        }
        assert found == self.stored


def test_a_unit_reads_as_if_its_changes_were_in_the_store(shop):
    class Case(Units):
        schemas = shop

    run_state_machine_as_test(Case, settings=settings(max_examples=60, stateful_step_count=40))


def test_a_unit_over_a_file_reads_as_if_its_changes_were_in_it(shop, tmp_path_factory):
    class Case(Units):
        schemas = shop
        driver_of = staticmethod(lambda: SqliteDriver(tmp_path_factory.mktemp("rows"), durability="relaxed"))

    run_state_machine_as_test(Case, settings=settings(max_examples=8, stateful_step_count=25))


@given(
    st.lists(columns, max_size=40),
    st.lists(columns, max_size=40),
    st.lists(columns, max_size=40),
    st.booleans(),
)
def test_reads_of_many_rows_are_merged_lazily(shop, stored, put, removed, reverse):
    with MemoryDriver() as driver:
        data = PartitionData(driver.create("x"), 0)
        unit = data.begin(shop)
        for number, clustering in enumerate(stored):
            unit.put(("p",), (clustering[0], clustering[1], number), b"s")
        unit.commit()
        unit = data.begin(shop)
        model = {(*clustering, number): b"s" for number, clustering in enumerate(stored)}
        for number, clustering in enumerate(removed):
            unit.remove(("p",), (*clustering, number))
            model.pop((*clustering, number), None)
        for number, clustering in enumerate(put):
            unit.put(("p",), (*clustering, number), b"u")
            model[*clustering, number] = b"u"
        rows = unit.read(("p",), reverse=reverse)
        expected = sorted(model.items(), key=lambda row: encode(row[0]), reverse=reverse)
        assert [tuple(row) for row in rows] == expected


def test_a_read_does_not_see_changes_made_after_it_began(unit):
    unit.put(("p",), (1,), b"a")
    rows = unit.read(("p",))
    unit.put(("p",), (2,), b"b")
    assert [row.clustering for row in rows] == [(1,)]


def test_a_read_may_be_left_at_any_row(unit):
    for number in range(5):
        unit.put(("p",), (number,), b"")
    rows = unit.read(("p",))
    next(rows)
    rows.close()


def test_only_what_stands_by_itself_is_committed(unit):
    inner = unit.begin()
    with pytest.raises(LogError, match="merged, not committed"):
        inner.commit()
    with pytest.raises(LogError, match="committed, not merged"):
        unit.merge()


def test_a_unit_without_changes_commits_nothing(unit):
    assert unit.commit() == ()
