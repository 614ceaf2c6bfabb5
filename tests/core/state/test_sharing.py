"""What several versions declare alike is compiled once, for as long as one of them is there."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from statehold.sdk import Field
from statehold.state import share_rows

KEY = (Field("Device", "text", required=True),)
VALUE = (Field("Reading", "float64"),)


def test_what_is_declared_alike_has_the_same_rows():
    rows = share_rows("storage", "bills.Scada", KEY, VALUE)
    assert share_rows("storage", "bills.Scada", list(KEY), list(VALUE)) is rows
    assert rows.key(1, Device="a") == rows.key(1, Device="a")


def test_another_name_owner_or_field_has_others():
    rows = {
        share_rows("storage", "bills.Scada", KEY, VALUE),
        share_rows("entity", "bills.Scada", KEY, VALUE),
        share_rows("storage", "bills.Other", KEY, VALUE),
        share_rows("storage", "bills.Scada", KEY, (*VALUE, Field("At", "int64"))),
        share_rows("storage", "bills.Scada", KEY, (Field("Reading", "float64", secret=True),)),
        share_rows("storage", "bills.Scada", KEY, (Field("Reading", "float64", required=True),)),
    }
    assert len({one.Key for one in rows}) == 6


def test_the_rows_of_nobody_are_gone():
    gone = weakref.ref(share_rows("storage", "bills.Gone", KEY, VALUE).Value)
    gc.collect()
    assert gone() is None


def test_many_threads_get_the_same_rows():
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: share_rows("entity", "bills.Many", KEY, VALUE), range(64)))
    assert len({id(rows.Value) for rows in found}) == 1


def test_a_plugin_that_names_its_fields_by_an_enum_is_not_kept_by_the_version_after_it():
    def deployed():
        class Named(StrEnum):
            DEVICE = "Device"

        return weakref.ref(Named), share_rows("storage", "bills.Named", (Field(Named.DEVICE, "text"),), VALUE)

    gone, before = deployed()
    _, after = deployed()
    assert before.key_fields == after.key_fields
    del before
    gc.collect()
    assert gone() is None
