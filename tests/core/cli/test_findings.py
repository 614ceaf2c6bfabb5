from __future__ import annotations

import click
from hypothesis import given
from hypothesis import strategies as st

from statehold.cli._findings import Source, diagnostic_document, render
from statehold_vsql import Diagnostic, Severity


def _found(**more):
    given = {
        "message": "not here",
        "file": "a.vsql",
        "package": "a",
        "line": 2,
        "column": 9,
        "end_line": 2,
        "end_column": 12,
    }
    return Diagnostic(severity=Severity.ERROR, code="scope", **{**given, **more})


def _shown(diagnostic, text):
    return [click.unstyle(line) for line in render(diagnostic, Source("x/a.vsql", text))]


def test_a_diagnostic_shows_place_line_caret_and_hint():
    assert _shown(_found(hint="try elsewhere"), "one\n  STATE(Foo)\n") == [
        "error: not here [scope]",
        " --> x/a.vsql:2:9",
        "2 |   STATE(Foo)",
        "  |         ^^^",
        "  hint: try elsewhere",
        "",
    ]


def test_a_caret_stands_under_its_text_behind_tabs_and_wide_characters():
    lines = _shown(_found(line=1, column=4, end_line=1, end_column=6), "\t日Xab\n")
    assert lines[2] == "1 |     日Xab"
    assert lines[3].index("^") == len("1 |     日X") + 1


def test_a_long_line_is_cut_around_the_caret():
    lines = _shown(_found(line=1, column=301, end_line=1, end_column=304), "a" * 300 + "BAD" + "c" * 300)
    assert lines[2][lines[3].index("^") :].startswith("BAD")
    assert len(lines[2]) < 120


def test_a_finding_without_a_file_has_no_place():
    assert _shown(_found(file=""), "") == ["error: not here [scope]", ""]


def test_a_source_cannot_steer_the_terminal():
    lines = _shown(_found(message="bad \x1b[2J"), "x\n\x1b]0;owned\x07 \u202e STATE\n")
    assert not any(char in "".join(lines) for char in "\x1b\x07\u202e")


@given(
    st.text(),
    st.integers(1, 5),
    st.integers(1, 400),
    st.integers(1, 5),
    st.integers(1, 400),
)
def test_any_position_in_any_text_can_be_shown(text, line, column, end_line, end_column):
    diagnostic = _found(line=line, column=column, end_line=end_line, end_column=end_column)
    assert any("^" in row for row in _shown(diagnostic, text))


def test_a_machine_gets_the_path_and_the_whole_position():
    document = diagnostic_document(_found(), {("a", "a.vsql"): Source("x/a.vsql", "")})
    assert document["path"] == "x/a.vsql"
    assert (document["line"], document["column"], document["end_line"], document["end_column"]) == (
        2,
        9,
        2,
        12,
    )
