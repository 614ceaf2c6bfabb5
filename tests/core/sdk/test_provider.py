from __future__ import annotations

from typing import Any

import pytest

from statehold.sdk import Contract, Field, Operation, Provider, Scope


def provider(**given: Any) -> Provider:
    return Provider(**{"name": "Scada", "open": print, "operations": [Operation.GET], **given})


def test_operations_may_be_a_list_or_say_their_scopes() -> None:
    """Words do as well as members; a list gives every scope to a declaration by bare name."""
    assert provider(operations=["GET"]).operations == {Operation.GET: frozenset(Scope)}
    assert provider(operations={"GET": ["JOBS"]}).operations == {Operation.GET: frozenset({Scope.JOBS})}


def test_the_contract_is_what_declarations_are_checked_against() -> None:
    """It has nothing of how to open the storage."""
    key = (Field("Device", "text"),)
    assert provider(key=list(key), sync_projector=True).contract == Contract(
        operations={Operation.GET: frozenset(Scope)}, sync_projector=True, key=key, value=None
    )


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"operations": "GET"}, "operations: expected a list or a tuple, got the text 'GET'"),
        ({"operations": {"GET": "JOBS"}}, "scopes: expected a list or a tuple, got the text 'JOBS'"),
        ({"operations": ["PUT"]}, "'PUT' is not a valid Operation"),
        ({"requires": "Other"}, "requires: expected a list or a tuple, got the text 'Other'"),
        ({"key": ["Device"]}, r"a field: expected Field\('Name', 'text'\), got 'Device'"),
        ({"open": None}, "'open' must be callable"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(mistake: dict[str, Any], message: str) -> None:
    """The author hears of it when the plugin is imported, not when an app is deployed."""
    with pytest.raises((TypeError, ValueError), match=message):
        provider(**mistake)
