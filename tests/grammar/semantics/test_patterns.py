from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold_vsql.semantics._patterns import pattern_error


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            "a",
            "^[A-Za-z]{2}$",
            "a|b|",
            "(a|b)*?",
            "(?i)a",
            "(?i:a)",
            "(?s-m:a)",
            "(?P<n>a)(?<m>b)",
            r"\d+\.\w",
        ),
        *(
            "[^]a]",
            "[]]",
            "[a-]",
            "[-a]",
            r"[\]\-\\]",
            "[[:alpha:][:^digit:]]",
            r"\pL\p{Greek}\P{^Lu}",
            r"\x41\x{10FFFF}",
        ),
        *(
            r"\Qa(b\E?",
            "a{,2}",
            "a{",
            "a{2}{",
            "a{0,1000}",
            "a{3,}?",
            r"\A\z\b\B",
            "é+",
            r"\012",
            "(())",
            "x{1}y{2}",
        ),
    ],
)
def test_a_right_pattern_has_no_error(pattern: str) -> None:
    assert not pattern_error(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(",
            ")",
            "(a",
            "a)",
            "[a",
            "[",
            "[]",
            "*",
            "+a",
            "(?",
            "|*",
            "(*a)",
            "a**",
            "a{2}{3}",
            "a{1001}",
            "a{3,2}",
        ),
        *(
            "(?=a)",
            "(?!a)",
            "(?<=a)b",
            "(?<!a)b",
            r"(a)\1",
            r"\y",
            "\\",
            r"\Z",
            r"\x",
            r"\x{110000}",
            r"\p",
            "[z-a]",
        ),
        *("[[:nope:]]", "(?P<n>a)(?P<n>b)", "(?x)", "(?i-)", "(?P<1>a)", "a++", r"[\y]"),
    ],
)
def test_a_wrong_pattern_has_an_error(pattern: str) -> None:
    assert pattern_error(pattern)


@given(st.text(alphabet="()[]{}*+?|\\^$.-:,<>=!PQEabdxp0129ié\n", max_size=40))
def test_no_pattern_raises(pattern: str) -> None:
    assert isinstance(pattern_error(pattern), str)


@pytest.mark.parametrize("piece", ["(", "[", "[a-", "\\Q", "a{1", "(?P<", "((((a)*)*", "a|", "[[:"])
def test_a_hostile_pattern_is_judged_in_one_pass(piece: str) -> None:
    assert isinstance(pattern_error(piece * 100_000), str)
