"""Uniques that a version of the app declares and the one before did not."""

from __future__ import annotations

import pytest

from statehold.events import (
    ConflictError,
    PartitionData,
    allocate_workspace,
    create_workspace,
    index_uniques,
)
from statehold.events import _indexing as indexing
from statehold.rows import MemoryDriver

APP = """
    APPLICATION shop();
    WORKSPACE W (
        TABLE Guest INHERITS sys.WDoc (Name text, Seat int32 %s);
        EXTENSION ENGINE BUILTIN (COMMAND C;);
    );
"""


@pytest.fixture(scope="module")
def plain(schemas_of):
    return schemas_of(APP % "")


@pytest.fixture(scope="module")
def strict(schemas_of):
    return schemas_of(APP % ", UNIQUE (Name)")


@pytest.fixture
def workspace(data, plain):
    workspace = allocate_workspace(data.store)
    unit = data.begin(plain)
    create_workspace(unit, workspace, kind="shop.W", name="w", registered_at=1)
    unit.commit()
    return workspace


@pytest.fixture
def add(data, workspace):
    def add(schemas, **fields):
        unit = data.begin(schemas)
        unit.insert(workspace, schemas["shop.Guest"].from_json(fields))
        event = unit.append("shop.C", workspace, registered_at=1)
        unit.commit()
        return event.cuds[0].id

    return add


@pytest.fixture
def change(data, workspace):
    def change(schemas, record, **changes):
        unit = data.begin(schemas)
        unit.change(workspace, record, changes)
        unit.append("shop.C", workspace, registered_at=1)
        unit.commit()

    return change


@pytest.fixture
def find(data, workspace, strict):
    def find(name):
        return data.reader(strict).unique(workspace, strict["shop.Guest"], {"Name": name})

    return find


def test_records_that_were_there_before_are_found(add, find, data, plain, strict):
    ann, bob = add(plain, Name="Ann"), add(plain, Name="Bob")
    assert find("Ann") is None
    assert index_uniques([data], strict) == []
    assert (find("Ann"), find("Bob")) == (ann, bob)
    with pytest.raises(ConflictError, match=f"record {ann}"):
        add(strict, Name="Ann")


def test_who_does_not_index_at_deploy_is_caught_up_with_the_first_event(add, find, plain, strict):
    ann = add(plain, Name="Ann")
    with pytest.raises(ConflictError):
        add(strict, Name="Ann")
    assert find("Ann") == ann


def test_records_with_the_same_values_are_told(add, data, workspace, plain, strict):
    first, second = add(plain, Name="Ann"), add(plain, Name="Ann")
    (problem,) = index_uniques([data], strict)
    assert problem == (
        f"workspace {workspace} has two records of shop.Guest with Name = 'Ann': {first} and {second}"
    )


def test_a_problem_that_was_mended_is_none(add, change, find, data, plain, strict):
    first, second = add(plain, Name="Ann"), add(plain, Name="Ann")
    assert index_uniques([data], strict)
    change(plain, first, sys_IsActive=False)
    assert index_uniques([data], strict) == []
    assert find("Ann") == second


def test_inactive_records_and_nulls_stand_against_nothing(add, change, find, data, plain, strict):
    change(plain, add(plain, Name="Ann"), sys_IsActive=False)
    last = add(plain, Name="Ann")
    add(plain)
    add(plain)
    assert index_uniques([data], strict) == []
    assert find("Ann") == last


def test_no_more_problems_are_told_than_can_be_read(add, data, plain, strict):
    for _ in range(30):
        add(plain, Name="Ann")
    assert len(index_uniques([data], strict)) == 20


def test_what_the_old_version_does_meanwhile_is_caught_up(add, change, find, data, plain, strict):
    ann, bob = add(plain, Name="Ann"), add(plain, Name="Bob")
    assert index_uniques([data], strict) == []
    change(plain, ann, Name="Eve")
    cid = add(plain, Name="Cid")
    new = add(strict, Name="Ann")
    assert (find("Ann"), find("Eve"), find("Cid"), find("Bob")) == (new, ann, cid, bob)


def test_a_duplicate_of_the_last_moment_stays_and_is_warned_of(add, find, data, plain, strict, caplog):
    first = add(plain, Name="Ann")
    assert index_uniques([data], strict) == []
    add(plain, Name="Ann")
    add(strict, Name="Bob")
    assert find("Ann") == first
    assert "two records of shop.Guest with Name = 'Ann'" in caplog.text


def test_a_version_that_comes_back_finds_what_changed_without_it(add, change, find, data, plain, strict):
    ann, bob = add(strict, Name="Ann"), add(strict, Name="Bob")
    change(plain, ann, Name="Eve")
    change(plain, bob, sys_IsActive=False)
    dan = add(plain, Name="Dan")
    # Rows that the version without the UNIQUE has left behind do not count.
    assert (find("Ann"), find("Bob")) == (None, None)
    assert index_uniques([data], strict) == []
    new = add(strict, Name="Ann")
    assert (find("Ann"), find("Eve"), find("Dan"), find("Bob")) == (new, ann, dan, None)
    change(strict, ann, Name="Bob")
    assert (find("Bob"), find("Ann")) == (ann, new)


def test_what_was_kept_is_not_read_again(add, data, strict, monkeypatch):
    add(strict, Name="Ann")
    monkeypatch.setattr(indexing, "_catch_up", lambda *_: pytest.fail("nothing has changed"))
    reopened = PartitionData(data.store, 0)
    assert index_uniques([reopened], strict) == []
    assert reopened.next_offset(strict) == 3


def test_partitions_are_indexed_each_for_itself(strict, plain):
    with MemoryDriver() as driver:
        store = driver.create("example.shop")
        partitions = [PartitionData(store, number) for number in range(2)]
        for workspace in (2, 3):
            unit = partitions[workspace % 2].begin(plain)
            create_workspace(unit, workspace, kind="shop.W", name="w", registered_at=1)
            unit.insert(workspace, plain["shop.Guest"].from_json({"Name": "Ann"}))
            unit.append("shop.C", workspace, registered_at=1)
            unit.commit()
        assert index_uniques(partitions, strict) == []
        for workspace in (2, 3):
            reader = partitions[workspace % 2].reader(strict)
            assert reader.unique(workspace, strict["shop.Guest"], {"Name": "Ann"}) == 200_001


def test_a_log_of_thousands_is_read_in_pieces(add, find, data, plain, strict, monkeypatch):
    monkeypatch.setattr(indexing, "_PIECE", 7)
    records = [add(plain, Name=f"Guest {number}") for number in range(40)]
    assert index_uniques([data], strict) == []
    assert [find(f"Guest {number}") for number in range(40)] == records
