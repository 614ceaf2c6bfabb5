"""Patterns of CHECK, in the syntax they are written in."""

from __future__ import annotations

import pytest

from statehold.events._patterns import compile_pattern
from statehold.sdk import SchemaError


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("^[a-z]+$", ["abc"], ["", "a1", "abc\n"]),
        ("b", ["abc"], ["ac"]),
        (r"^\d\w$", ["1a"], ["٣a", "1ä"]),
        (r"^\Qa.b[\E$", ["a.b["], ["axb["]),
        (r"^\Qa.b", ["a.b"], ["axb"]),
        (r"a\z", ["ba"], ["ab", "a\n"]),
        (r"^[[:alpha:]_]+$", ["a_b"], ["a1"]),
        (r"^[^[:digit:]]$", ["a"], ["1"]),
        (r"^[]a]$", ["]", "a"], ["b"]),
        (r"^[^]a]$", ["b"], ["]", "a"]),
        (r"^[a[]$", ["[", "a"], ["b"]),
        (r"^[$]$", ["$"], ["a"]),
        (r"^\x{1F600}$", ["😀"], ["x"]),
        (r"^[\]]$", ["]"], ["x"]),
        (r"^\$$", ["$"], ["x"]),
        (r"(?i)^abc$", ["aBc"], ["abd"]),
        (r"(?P<name>a)", ["a"], ["b"]),
        (r"^a{2,3}?$", ["aa"], ["a"]),
    ],
)
def test_a_pattern_means_what_it_means_in_re2(pattern, yes, no):
    found = compile_pattern(pattern, entity="s.T", field="F")
    assert [text for text in yes if not found(text)] == []
    assert [text for text in no if found(text)] == []


def test_what_python_cannot_match_is_refused():
    with pytest.raises(SchemaError, match=r"s.T: field F: this host cannot run CHECK"):
        compile_pattern(r"\p{Greek}", entity="s.T", field="F")
