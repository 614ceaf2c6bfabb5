from __future__ import annotations

import contextlib
import itertools
import random
import subprocess
import sys
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statehold.sdk import Field, Intent, StorageError
from statehold.testing import OpenStorage, open_storage
from statehold_sys.ephemeral import provider


def names(opened: OpenStorage, workspace: int = 1) -> list[Any]:
    return [key.Name for key, _ in opened.facade.read(opened.prefix(workspace))]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 700), st.sampled_from("aé✓😀")), min_size=1, max_size=120
    )
)
@settings(max_examples=60)
def test_the_budget_holds_and_the_rows_used_last_stay(writes: list[tuple[int, int, str]]) -> None:
    """The bytes accounted never exceed the budget, and what is there is what was written last."""
    with open_storage(provider, config={"PartitionMaxSize": 5_000}) as opened:
        cache: Any = opened.storage
        written: dict[str, str] = {}
        for number, length, letter in writes:
            name, text = f"row{number}", letter * length
            written.pop(name, None)
            written[name] = text
            opened.insert(opened.key(1, Name=name), {"Text": text})
            assert cache.used <= 5_000
            assert opened.facade.get(opened.key(1, Name=name)).Text == text
        kept = names(opened)
        assert sorted(kept) == sorted(list(written)[-len(kept) :])
        assert all(opened.facade.get(opened.key(1, Name=name)).Text == written[name] for name in kept)


def test_the_accounted_bytes_cover_what_python_allocates() -> None:
    """A row counts at least as much as the objects that it keeps alive."""
    draw = random.Random(1)
    with open_storage(provider, config={"PartitionMaxSize": 100_000_000}) as opened:
        cache: Any = opened.storage
        for number in range(1000):
            key = opened.key(number * 10**6, Name=f"{number:010}" + "n" * draw.randrange(50))
            text = draw.choice("aé✓😀") * draw.randrange(200)
            value = opened.value(Text=text, Number=number << 40, Data=draw.randbytes(draw.randrange(2000)))
            before = cache.used
            opened.insert(key, value)
            kept = (key, key.WSID, key.Name, value, value.Text, value.Number, value.Data)
            assert cache.used - before >= sum(map(sys.getsizeof, kept))


MEASURE = """
import gc, os, random, sys
import psutil
from statehold.testing import open_storage
from statehold_sys.ephemeral import provider

smallest, largest, budget = map(int, sys.argv[1:])
draw = random.Random(1)
with open_storage(provider, config={"PartitionMaxSize": budget}) as opened:
    written = 0
    cache = opened.storage
    before = psutil.Process().memory_info().rss
    while written < 2 * budget:
        key = opened.key(written, Name=f"{written:012}")
        value = opened.value(Number=written, Data=draw.randbytes(draw.randint(smallest, largest)))
        opened.insert(key, value)
        assert cache.used <= budget
        written += smallest + largest + 300
    gc.collect()
    print((psutil.Process().memory_info().rss - before) / budget)
"""


@pytest.mark.parametrize(("smallest", "largest"), [(0, 20), (0, 3_000), (1_000, 100_000)])
def test_the_budget_holds_in_the_memory_of_the_process(smallest: int, largest: int) -> None:
    """A full cache takes about as much memory as it may, and hardly ever more."""
    arguments = map(str, (smallest, largest, 20_000_000))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True
    )
    assert 0.5 < float(done.stdout) < 1.25


def test_a_get_keeps_a_row_and_a_read_does_not() -> None:
    """The row that was looked up last goes last; walking over all rows changes nothing."""
    with open_storage(provider, config={"PartitionMaxSize": 5_000}) as opened:
        for name in "abc":
            opened.insert(opened.key(1, Name=name), {"Text": "x" * 1000})
        opened.facade.get(opened.key(1, Name="a"))
        assert names(opened) == ["a", "b", "c"]
        opened.insert(opened.key(1, Name="d"), {"Text": "x" * 1000})
        assert names(opened) == ["a", "c", "d"]


def test_a_row_larger_than_the_budget_is_refused() -> None:
    """The error says how large row and budget are, and nothing of the batch was put."""
    with open_storage(provider, config={"PartitionMaxSize": 1_000}) as opened:
        opened.insert(opened.key(1, Name="a"), {"Text": "old"})
        batch = [
            opened.facade.insert(opened.key(1, Name="a"), {"Text": "new"}),
            opened.facade.insert(opened.key(1, Name="b"), {"Data": bytes(1_000)}),
        ]
        for use in (opened.storage.validate, opened.storage.apply_batch):
            with pytest.raises(StorageError, match=r"a row takes 1,\d\d\d bytes.*budget is 1,000") as caught:
                use(batch)
            assert "PartitionMaxSize" in caught.value.hint
        assert opened.facade.get(opened.key(1, Name="a")).Text == "old"


def test_a_batch_larger_than_the_budget_is_refused() -> None:
    """All of it could not be there at once."""
    with open_storage(provider, config={"PartitionMaxSize": 2_000}) as opened:
        batch = [
            opened.facade.insert(opened.key(1, Name=str(number)), {"Data": bytes(200)}) for number in range(5)
        ]
        with pytest.raises(StorageError, match="5 rows take"):
            opened.storage.apply_batch(batch)
        assert names(opened) == []


def test_read_yields_in_key_order_null_first() -> None:
    """Order is by the fields of KEY, whatever the order of writing."""
    key = [Field("A", "int64"), Field("B", "text")]
    rows = [*itertools.product([None, -5, 0, 7], [None, "", "B", "a", "é"])]
    with open_storage(provider, key=key, value=[Field("V", "int64")]) as opened:
        for a, b in random.Random(2).sample(rows, len(rows)):
            opened.insert(opened.key(1, A=a, B=b), {"V": 1})
        found = [(key.A, key.B) for key, _ in opened.facade.read(opened.prefix(1))]
        assert found == rows
        assert [key.B for key, _ in opened.facade.read(opened.prefix(1, A=None))] == [None, "", "B", "a", "é"]


def test_a_new_version_takes_the_rows_over_in_order_of_use() -> None:
    """With a smaller budget, the rows used last are the ones that stay."""
    with open_storage(provider) as old:
        for name in "abcd":
            old.insert(old.key(1, Name=name), {"Text": "x" * 1000})
        old.facade.get(old.key(1, Name="a"))
        with open_storage(provider, existing=old.storage, config={"PartitionMaxSize": 3_000}) as new:
            assert names(new) == ["a", "d"]
            assert new.facade.get(new.key(1, Name="a")) == new.value(Text="x" * 1000)
            assert names(old) == ["a", "b", "c", "d"]


def test_while_both_run_each_sees_what_the_other_writes() -> None:
    """A lock taken by a call in flight on the old version is not given a second time by the new one."""
    with open_storage(provider) as first:
        with open_storage(provider, existing=first.storage) as second:
            first.insert(first.key(1, Name="table 4"), {"Text": "ann"})
            assert second.facade.get(second.key(1, Name="table 4")) == second.value(Text="ann")
            second.insert(second.key(1, Name="table 5"), {"Text": "bob"})
            with open_storage(provider, existing=second.storage) as third:
                third.insert(third.key(1, Name="table 6"), {"Text": "cy"})
                assert names(first) == names(second) == names(third) == ["table 4", "table 5", "table 6"]
        first.insert(first.key(1, Name="table 7"), {})
        assert len(names(first)) == 4


@pytest.mark.parametrize(
    "value",
    [
        [Field("Text", "text"), Field("Number", "int32"), Field("Data", "bytes")],
        [Field("Text", "text"), Field("Number", "int64")],
        [Field("Text", "text", required=True), Field("Number", "int64"), Field("Data", "bytes")],
    ],
)
def test_with_other_fields_a_new_version_starts_empty(value: list[Field]) -> None:
    """Rows of other types are not carried over, and neither side sees the other's."""
    with open_storage(provider) as old:
        old.insert(old.key(1, Name="a"), {"Text": "x"})
        with open_storage(provider, existing=old.storage, value=value) as new:
            assert names(new) == []
            new.insert(new.key(1, Name="b"), {"Text": "y"})
            assert names(old) == ["a"]


def test_the_hand_over_loses_no_write() -> None:
    """Whatever is written while versions come and go is in the one that stays."""
    options: Any = {"config": {"PartitionMaxSize": 50_000_000}}
    with open_storage(provider, **options) as first, contextlib.ExitStack() as stack:
        done = threading.Event()

        def write(writer: int) -> None:
            for number in range(1000):
                key = first.key(1, Name=f"{writer} {number}")
                first.storage.apply_batch([Intent(key, first.value(), is_new=True)])

        def come_and_go() -> None:
            while not done.is_set():
                with open_storage(provider, existing=first.storage, **options):
                    pass

        coming = threading.Thread(target=come_and_go)
        writing = [threading.Thread(target=write, args=(writer,)) for writer in range(2)]
        for thread in (coming, *writing):
            thread.start()
        heir = stack.enter_context(open_storage(provider, existing=first.storage, **options))
        for thread in writing:
            thread.join()
        done.set()
        coming.join()
        assert names(heir) == names(first)
        assert len(names(heir)) == 2000


def test_readers_and_writers_do_not_disturb_each_other() -> None:
    """READ walks over a moment's rows while others look rows up and put new ones."""
    with open_storage(provider, config={"PartitionMaxSize": 100_000}) as opened:
        done = threading.Event()
        failed: list[BaseException] = []

        def run(work: Any) -> None:
            try:
                for number in itertools.cycle(range(500)):
                    if done.is_set():
                        return
                    work(opened.key(1, Name=f"{number}"))
            except BaseException as error:
                failed.append(error)

        def put(key: Any) -> None:
            opened.storage.apply_batch([Intent(key, opened.value(Text="x" * 100), is_new=True)])

        threads = [threading.Thread(target=run, args=(work,)) for work in (put, put, opened.facade.get)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        for thread in threads:
            thread.start()
        try:
            for _ in range(100):
                found = names(opened)
                assert len(found) == len(set(found))
        finally:
            done.set()
            for thread in threads:
                thread.join()
            sys.setswitchinterval(interval)
        assert failed == []


@pytest.mark.parametrize("size", [0, -1, 2**63])
def test_a_budget_that_no_machine_has_is_an_error(size: int) -> None:
    """A mistake in the configuration shows when the version is opened."""
    with (
        pytest.raises(msgspec.ValidationError, match="PartitionMaxSize"),
        open_storage(provider, config={"PartitionMaxSize": size}),
    ):
        pass
