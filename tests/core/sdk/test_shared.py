from __future__ import annotations

import pytest

from statehold.sdk import Shared


def test_a_thing_is_opened_by_the_first_and_closed_by_the_last() -> None:
    closed: list[str] = []
    shared = Shared[str](closed.append)
    assert shared.take("a", lambda: "first") == "first"
    assert shared.take("a", lambda: "second") == "first"
    assert shared.take("b", lambda: "other") == "other"

    shared.give_back("a")
    assert closed == []
    shared.give_back("a")
    assert closed == ["first"]
    assert shared.take("a", lambda: "third") == "third"


def test_what_cannot_be_opened_is_had_by_nobody() -> None:
    shared = Shared[str](lambda _: None)

    def fail() -> str:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        shared.take("a", fail)
    with pytest.raises(KeyError):
        shared.give_back("a")
    assert shared.take("a", lambda: "now") == "now"
