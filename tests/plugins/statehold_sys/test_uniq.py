from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from statehold.events import WorkspaceError
from statehold.sdk import SchemaError
from statehold.testing import OpenStorage, open_storage
from statehold_sys.uniq import provider


@pytest.fixture
def uniq(bills: str) -> Iterator[OpenStorage]:
    """Yield the uniques of bills: 1 of Ann at table 1, 2 of Bob there, 3 of nobody, in workspace 1."""
    with open_storage(provider, declarations=bills, entity="test.Bill") as opened:
        memory = opened.memory
        assert memory is not None
        with memory.writing() as unit:
            for number, guest in ((1, "Ann"), (2, "Bob"), (3, None)):
                unit.insert(1, memory.schemas["test.Bill"].rows.value(Number=number, Table=1, Guest=guest))
            memory.append(unit, "test.Pay", 1)
        yield opened


def found(uniq: OpenStorage, workspace: int = 1, **key: Any) -> int | None:
    value = uniq.facade.get(uniq.key(workspace, **key))
    return None if value is None else value.ID


def test_the_fields_that_are_set_say_which_unique_is_meant(uniq: OpenStorage) -> None:
    """Each unique by all of its fields, in any order."""
    assert {field.name for field in uniq.rows.key_fields} == {"Number", "Guest", "Table"}
    assert found(uniq, Number=2) == 200_002
    assert found(uniq, Guest="Ann", Table=1) == 200_001
    assert found(uniq, Table=1, Guest="Bob") == 200_002


def test_what_no_record_has_is_none(uniq: OpenStorage) -> None:
    """Nor is a record found in another workspace, or one of which a field is NULL."""
    assert found(uniq, Number=9) is None
    assert found(uniq, Table=2, Guest="Ann") is None
    assert found(uniq, 2, Number=2) is None


def test_a_record_that_is_not_active_is_not_found(uniq: OpenStorage) -> None:
    """Its values are free for another one."""
    memory = uniq.memory
    assert memory is not None
    with memory.writing() as unit:
        unit.change(1, 200_002, {"sys_IsActive": False})
        memory.append(unit, "test.Pay", 1)
    assert found(uniq, Number=2) is None


@pytest.mark.parametrize("key", [{}, {"Table": 1}, {"Guest": "Ann"}, {"Number": 1, "Table": 1}])
def test_fields_of_no_unique_are_an_error_that_names_the_uniques(
    uniq: OpenStorage, key: dict[str, Any]
) -> None:
    """Too few, too many, or none."""
    with pytest.raises(SchemaError, match=r"It has \(Guest, Table\) or \(Number\)"):
        found(uniq, **key)


def test_a_workspace_that_does_not_have_the_table_is_an_error(uniq: OpenStorage) -> None:
    """Also one that is not there."""
    with pytest.raises(WorkspaceError, match="99"):
        found(uniq, 99, Number=1)


def test_a_field_of_no_unique_is_no_field_of_the_key(uniq: OpenStorage) -> None:
    """It is told before the storage is asked."""
    with pytest.raises(SchemaError, match="'Total'"):
        found(uniq, Total=1)
