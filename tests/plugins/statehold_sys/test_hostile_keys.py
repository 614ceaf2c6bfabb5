from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from federation import Elsewhere

from statehold.sdk import StateholdError
from statehold.testing import OpenStorage, open_storage
from statehold_sys import app_secret, federation_blob, federation_command, http, record, uniq, view, wlog

LOCAL = {"network": ["127.0.0.1"]}
# What a key of each storage looks like that could be meant. Port 1 answers nobody.
CASES: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "Http": (http.provider, {"allowances": LOCAL}, {"Url": "http://127.0.0.1:1/"}),
    "FederationCommand": (
        federation_command.provider,
        {"allowances": LOCAL, "host": Elsewhere(1), "app": "acme.bills"},
        {"Command": "bills.Pay"},
    ),
    "FederationBlob": (
        federation_blob.provider,
        {"allowances": LOCAL, "host": Elsewhere(1), "app": "acme.bills"},
        {"OwnerID": 1, "OwnerRecord": "bills.Bill", "OwnerRecordField": "Scan"},
    ),
    "AppSecret": (app_secret.provider, {"secrets": {"A": "b"}}, {"Secret": "A"}),
    "Record": (record.provider, {"entity": "test.Bill"}, {"ID": 200_001}),
    "Uniq": (uniq.provider, {"entity": "test.Bill"}, {"Number": 1}),
    "View": (
        view.provider,
        {"entity": "test.Turnover"},
        {"Year": 1, "Kind": "a.B", "Day": 1, "Guest": ""},
    ),
    "WLog": (wlog.provider, {}, {"Offset": 1}),
}
HOSTILE = [
    *("", " ", "\0", "a\0b", "\ud800", "\r\n", "\u202e", "../..", "%2e%2e/", "?x=1#y", "a.b", "a.b.c"),
    *("x" * 60_000, f"a.{'b' * 60_000}", "x" * 70_000),
    *(-1, 0, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 1.5, float("nan"), True, None),
    *(b"", b"\xff", [], ["a"], {}, object()),
]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, bills: str) -> Iterator[tuple[OpenStorage, dict[str, Any]]]:
    provider, options, key = CASES[request.param]
    if "entity" in options or request.param == "WLog":
        options = {**options, "declarations": bills}
    with open_storage(provider, **options) as opened:
        yield opened, key


def ask(opened: OpenStorage, workspace: Any, key: dict[str, Any]) -> None:
    """Use every way of reading; an error is one of ours."""
    try:
        made = opened.key(workspace, **key)
    except StateholdError:
        return
    for read in (
        lambda: opened.facade.get(made),
        lambda: opened.facade.get_batch([made, made]),
        lambda: list(opened.facade.read(made)),
    ):
        # What a storage does not have is refused by an error of ours, too.
        told = ""
        try:
            read()
        except StateholdError as error:
            told = str(error)
        assert len(told) < 2000, f"an error shows a key at full length: {told!a:.200}"


def test_no_field_of_a_key_breaks_a_storage(case: tuple[OpenStorage, dict[str, Any]]) -> None:
    """Whatever stands in it, the answer is a value, None, or an error that says what is wrong."""
    opened, key = case
    for field in opened.rows.key_fields:
        for one in HOSTILE:
            ask(opened, 1, {**key, field.name: one})


def test_no_workspace_breaks_a_storage(case: tuple[OpenStorage, dict[str, Any]]) -> None:
    """One that is not there, that cannot be, or that is no number."""
    opened, key = case
    for workspace in (0, 99, *HOSTILE):
        ask(opened, workspace, key)
