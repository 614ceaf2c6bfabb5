from __future__ import annotations

import pytest

from statehold.sdk import Field, fields, merge
from statehold.state import compile_rows

ROWS = compile_rows(
    "bills.Scada", [Field("class", "text")], [Field("Reading", "int64"), Field("Note", "text")]
)


def test_a_field_whose_name_is_no_attribute_is_read_by_name() -> None:
    """Every field can be, also those of Python's own words."""
    key = ROWS.key(7, **{"class": "a"})
    assert key["class"] == "a"
    assert key["WSID"] == key.WSID == 7
    with pytest.raises(KeyError, match=r"bills\.Scada has no field 'Clas'; it has WSID, class"):
        key["Clas"]


def test_fields_are_a_dict_of_its_own() -> None:
    """Changing it changes no row."""
    value = ROWS.value(Reading=1)
    found = fields(value)
    assert found == {"Reading": 1, "Note": None}
    found["Reading"] = 2
    assert value.Reading == 1


def test_merge_lays_changes_over_a_copy() -> None:
    """What is not named stays, NULL is a change like any other, and the old value is as it was."""
    old = ROWS.value(Reading=1, Note="a")
    assert fields(merge(old, {"Note": None})) == {"Reading": 1, "Note": None}
    assert fields(old) == {"Reading": 1, "Note": "a"}
