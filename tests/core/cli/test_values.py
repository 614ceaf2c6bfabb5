from __future__ import annotations

import json
import math
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.cli._values import from_json, to_json
from statehold.sdk import Operation, Secret

_SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False)


@given(st.dictionaries(st.text().filter(lambda name: name not in ("base64", "float")), _SCALARS))
def test_every_value_comes_back_from_json_as_it_went(row):
    assert from_json(json.dumps(to_json(row), allow_nan=False), option="--key") == row


def test_a_float_that_json_has_no_word_for_is_spelled():
    assert to_json(math.nan) == {"float": "nan"}
    assert from_json('{"X": {"float": "-inf"}}', option="--key") == {"X": -math.inf}


def test_a_secret_is_never_shown():
    assert "hush" not in json.dumps(to_json({"Password": Secret("hush")}))


def test_sets_paths_and_words_of_the_language_have_a_form():
    assert to_json({"o": {Operation.READ, Operation.GET}, "p": Path("a/b")}) == {
        "o": ["GET", "READ"],
        "p": "a/b",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object"),
        ('{"X": {"base64": "!"}}', "not base64"),
        ('{"X": 1, "Y": 2, "X": 3}', "'X' is given twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"X": ' + "9" * 5000 + "}", "5000 digits"),
    ],
)
def test_what_is_no_row_is_refused_with_an_example(text, says):
    with pytest.raises(click.BadParameter, match=says) as caught:
        from_json(text, option="--key")
    assert "Device" in caught.value.message
