from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable

import attrs
import msgspec
import pytest

from statehold.sdk import Secret

SECRET = Secret("hunter2")


@attrs.frozen
class Config:
    password: Secret = SECRET


def test_it_is_revealed_only_where_that_is_asked_for() -> None:
    """What is equal to it is another Secret of the same value, never a text."""
    assert SECRET.reveal() == "hunter2"
    assert Secret("hunter2") == SECRET != "hunter2"
    assert len({SECRET, Secret("hunter2"), Secret("other")}) == 2


@pytest.mark.parametrize(
    "show",
    [str, repr, "%s".__mod__, "%r".__mod__, "{}".format, "{!r:>20}".format, lambda one: repr([one]),
     lambda one: repr(Config(one)), lambda one: repr(attrs.asdict(Config(one)))],
)  # fmt: skip
def test_no_way_to_write_it_shows_it(show: Callable[[Secret], str]) -> None:
    """Neither by itself nor within something else."""
    assert "hunter2" not in show(SECRET)
    assert "***" in show(SECRET)


@pytest.mark.parametrize(
    "misuse",
    [
        json.dumps,
        pickle.dumps,
        msgspec.json.encode,
        msgspec.to_builtins,
        vars,
        iter,
        sorted,
        copy.copy,
        "x".__add__,
    ],
)
def test_what_would_carry_it_away_fails_without_showing_it(misuse: Callable[[Secret], object]) -> None:
    """A configuration with a secret is not saved or sent by mistake."""
    with pytest.raises(TypeError) as caught:
        misuse(SECRET)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
