"""By which attributes an extension reaches what it uses."""

from __future__ import annotations

import pytest

from statehold.extensions.python._names import attribute_paths


def path(storage, entity=None, *, package="bills", others=(), reserved=()):
    uses = [(storage, entity), *((other, None) for other in others)]
    return ".".join(attribute_paths(package, uses, reserved=reserved)[storage, entity])


@pytest.mark.parametrize(
    ("storage", "entity", "expected"),
    [
        ("bills.Scada", None, "Scada"),
        ("sys.Http", None, "Http"),
        ("crm.Contacts", None, "crm.Contacts"),
        ("sys.View", "bills.Turnover", "View.Turnover"),
        ("sys.Record", "sys.WorkspaceDescriptor", "Record.WorkspaceDescriptor"),
        ("sys.Record", "crm.Customer", "Record.crm.Customer"),
        ("crm.Index", "crm.Customer", "crm.Index.crm.Customer"),
        ("sys.Result", "crm.Customer", "Result"),
        ("bills.class", None, "class_"),
        ("sys.View", "bills.from", "View.from_"),
        ("sys.View", "import.None", "View.import_.None_"),
    ],
)
def test_own_names_and_those_of_sys_are_plain_and_others_stand_below_their_package(storage, entity, expected):
    assert path(storage, entity) == expected


def test_a_storage_of_ones_own_comes_before_one_of_sys():
    assert path("bills.Http", others=["sys.Http"]) == "Http"
    assert path("sys.Http", others=["bills.Http"]) == "sys.Http"


def test_a_name_that_the_call_has_gets_an_underscore():
    assert path("bills.log", reserved={"log"}) == "log_"
    assert path("log.Books", reserved={"log"}) == "log_.Books"
    assert path("sys.View", "bills.log", reserved={"log"}) == "View.log"


def test_a_package_that_is_called_as_a_storage_gets_an_underscore():
    assert path("crm.Contacts", others=["bills.crm"]) == "crm_.Contacts"
    assert path("bills.crm", others=["crm.Contacts"]) == "crm"
