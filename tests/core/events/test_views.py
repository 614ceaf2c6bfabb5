"""Views: rows by a typed key, in the order of its clustering columns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statehold.events import WorkspaceError
from statehold.sdk import SchemaError


@pytest.fixture
def view(shop):
    return shop["shop.Turnover"]


@pytest.fixture
def put(unit, view, ws):
    def put(year, day, currency, total):
        unit.put_view(view.rows.key(ws, Year=year, Day=day, Currency=currency), view.rows.value(Total=total))

    return put


@pytest.fixture
def read(data, shop, view, ws):
    def read(reader=None, *, year=1, **options):
        given = {name: options.pop(name) for name in ("Day", "Currency") if name in options}
        rows = (reader or data.reader(shop)).read_view(view.rows.prefix(ws, Year=year, **given), **options)
        return [(key.Day, key.Currency, value.Total) for key, value in rows]

    return read


@pytest.fixture
def filled(put, unit):
    for day, currency in [(2, "EUR"), (-1, "EUR"), (1, "USD"), (1, "CHF"), (1, "")]:
        put(1, day, currency, day * 10)
    put(2, 1, "EUR", 7)
    unit.commit()


def test_a_row_is_found_by_its_whole_key(filled, data, shop, view, ws):
    reader = data.reader(shop)
    key = view.rows.key(ws, Year=1, Day=2, Currency="EUR")
    assert reader.view(key) == view.rows.value(Total=20)
    none = view.rows.key(ws, Year=1, Day=3, Currency="EUR")
    assert reader.view(none) is None
    assert reader.views([none, key, none, key]) == [None, view.rows.value(Total=20)] * 2


def test_rows_come_in_the_order_of_the_clustering_columns(filled, read):
    rows = [(-1, "EUR", -10), (1, "", 10), (1, "CHF", 10), (1, "USD", 10), (2, "EUR", 20)]
    assert read() == rows
    assert read(reverse=True) == rows[::-1]
    assert read(limit=2) == rows[:2]
    assert read(year=2) == [(1, "EUR", 7)]
    assert read(year=3) == []


def test_clustering_columns_may_be_left_out_from_the_right(filled, read):
    assert read(Day=1) == [(1, "", 10), (1, "CHF", 10), (1, "USD", 10)]
    assert read(Day=1, Currency="CHF") == [(1, "CHF", 10)]


def test_a_range_is_of_the_columns_that_are_left_out(filled, read):
    assert read(start=(1, "CHF"), stop=(2,)) == [(1, "CHF", 10), (1, "USD", 10)]
    assert read(Day=1, start=("CHF",), stop=("USD",)) == [(1, "CHF", 10)]


def test_a_put_replaces_the_whole_row(unit, put, view, ws):
    put(1, 1, "EUR", 5)
    key = view.rows.key(ws, Year=1, Day=1, Currency="EUR")
    unit.put_view(key, view.rows.value(Count=1))
    assert unit.view(key) == view.rows.value(Count=1)


def test_a_read_needs_the_whole_partition_key(unit, view, ws):
    with pytest.raises(SchemaError, match="READ needs the whole partition key; Year is missing"):
        unit.read_view(view.rows.prefix(ws))


def test_a_view_belongs_to_the_kind_of_the_workspace(unit, view, new_workspace):
    empty = new_workspace("shop.EmptyWS")
    key = view.rows.key(empty, Year=1, Day=1, Currency="")
    for use in (
        lambda: unit.view(key),
        lambda: unit.views([key]),
        lambda: unit.read_view(view.rows.prefix(empty, Year=1)),
        lambda: unit.put_view(key, view.rows.value(Total=1)),
    ):
        with pytest.raises(WorkspaceError, match=r"is a shop.EmptyWS, which has no shop.Turnover"):
            use()


def test_there_are_no_views_where_there_is_no_workspace(unit, view):
    with pytest.raises(WorkspaceError, match="there is no workspace 99999"):
        unit.view(view.rows.key(99_999, Year=1, Day=1, Currency=""))


def test_workspace_0_has_every_view(unit, view):
    key = view.rows.key(0, Year=1, Day=1, Currency="")
    unit.put_view(key, view.rows.value(Total=1))
    assert unit.view(key).Total == 1


def test_a_key_that_is_too_long_is_refused_before_the_commit(unit, shop, ws):
    view = shop["shop.Names"]
    unit.put_view(view.rows.key(ws, Kind=1, Name="a" * 2000), view.rows.value(Number=1))
    with pytest.raises(SchemaError, match=r"the key is too long: expected at most 2560 bytes"):
        unit.put_view(view.rows.key(ws, Kind=1, Name="ä" * 2000), view.rows.value(Number=1))
    unit.commit()


def test_versions_of_an_app_read_each_other_s_views(schemas_of, store, data, shop, ws):
    text = """
        APPLICATION shop();
        WORKSPACE ShopWS (
            VIEW V (A int32, B text, {c}, PRIMARY KEY ((A), B)) AS RESULT OF P;
            EXTENSION ENGINE BUILTIN (
                COMMAND C; PROJECTOR P AFTER EXECUTE ON C INTENTS(sys.View(V));
            );
        );
    """
    old, new = (schemas_of(text.format(c=c)) for c in ("C int32, D text", "E bytes, C int64"))
    one, two = old["shop.V"].rows, new["shop.V"].rows
    unit = data.begin(old)
    unit.put_view(one.key(ws, A=1, B="x"), one.value(C=5, D="gone"))
    unit.commit()
    assert data.reader(new).view(two.key(ws, A=1, B="x")) == two.value(C=5)
    unit = data.begin(new)
    unit.put_view(two.key(ws, A=1, B="x"), two.value(C=6, E=b"new"))
    unit.commit()
    assert data.reader(old).view(one.key(ws, A=1, B="x")) == one.value(C=6)


keys = st.tuples(st.integers(-300, 300), st.text(max_size=3))


@settings(max_examples=60)
@given(st.dictionaries(keys, st.integers(0, 9), max_size=20), keys, keys)
def test_rows_are_ordered_as_their_keys_are(shop, rows, start, stop):
    from statehold.events import PartitionData
    from statehold.rows import MemoryDriver

    view = shop["shop.Turnover"]
    with MemoryDriver() as driver:
        unit = PartitionData(driver.create("x"), 0).begin(shop)
        for (day, currency), total in rows.items():
            key = view.rows.key(0, Year=1, Day=day, Currency=currency)
            unit.put_view(key, view.rows.value(Total=total))
        unit.commit()
        found = unit.data.reader(shop).read_view(view.rows.prefix(0, Year=1), start=start, stop=stop)
        expected = [(*key, rows[key]) for key in sorted(rows) if start <= key < stop]
        assert [(key.Day, key.Currency, value.Total) for key, value in found] == expected
