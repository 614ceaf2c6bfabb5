"""Whatever the text: diagnostics, never an exception, in time that grows with its length alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statehold_vsql.syntax import Parsed, parse_file
from statehold_vsql.syntax._parser import parser
from statehold_vsql.syntax._tokens import ANYTHING

VALID = """
IMPORT SCHEMA 'example.com/base' AS base
APPLICATION acme (USE base;);
-- Limits.
DECLARE n int DEFAULT 5;
STATESTORAGE ENGINE PYPLUGIN (
  STORAGE Scada (GET SCOPE(COMMANDS, JOBS), INSERT SCOPE(JOB),)
  KEY (Device text NOT NULL) VALUE (Reading float64) WITH JSONCONFIG=`{"a": "$b"}`;
  Bare
)
ABSTRACT WORKSPACE W INHERITS base.W (
  DESCRIPTOR d (a varchar(5) CHECK '^x$');
  TABLE T INHERITS sys.CDoc (a int NOT NULL DEFAULT 5, b ref(T) NOT NULL, c TABLE U (d int) WITH Tags=(t),
    UNIQUE (a), CHECK (a > 1 AND (b IS NOT NULL OR f(a, 2))));
  VIEW V (a int, b text, PRIMARY KEY ((a), b)) AS RESULT OF P WITH Comment='v';
  EXTENSION ENGINE WASM (
    COMMAND C(T, UNLOGGED any) STATE(sys.Record(T), sys.Http) INTENTS(sys.View(V)) RETURNS void;
    SYNC PROJECTOR P AFTER INSERT OR UPDATE ON (T, U) OR CRON '1 * * * *'
      INTENTS(sys.View(V)) INCLUDING ERRORS;
    JOB J '@every 1m' STATE(sys.Http);
  );
  RATE r 5 PER 2 HOURS PER APP PARTITION PER IP;
  LIMIT l EXECUTE ON ALL QUERIES WITH TAG t WITH RATE r;
  GRANT SELECT(a, sys.ID) ON TABLE T TO role;
);
"""
_WORDS = sorted({word for row in parser().tables.actions for word in row if word[0] != "$"} - {"DOTTED"})
_PLAIN = {"NAME": "x", "STRING": "'s'", "RAW": "`r`", "NUMBER": "5"}


def parse(text: str) -> Parsed:
    parsed = parse_file(text, file="a.vsql", package="a/b")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for report in parsed.diagnostics:
        assert 1 <= report.line <= report.end_line <= len(lines)
        assert 1 <= report.column <= len(lines[report.line - 1]) + 2
        assert 1 <= report.end_column <= len(lines[report.end_line - 1]) + 2
        assert (report.line, report.column) <= (report.end_line, report.end_column)
        assert report.message
        assert report.message.isprintable(), report.message
        assert report.hint.isprintable()
    assert len(parsed.diagnostics) <= 101
    assert parsed.diagnostics or not parsed.is_partial
    return parsed


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_text(text) -> None:
    parse(text)


@given(
    st.lists(st.sampled_from([*_WORDS, *_PLAIN.values(), "a.b", "\n", "--\n", "/*", "'", '"q"']), max_size=60)
)
def test_any_soup_of_tokens(words) -> None:
    parse(" ".join(_PLAIN.get(word, word) for word in words))


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(VALID)),
            st.integers(0, 12),
            st.text("(),;'\"`/*-=. \naA_T0\0\xe9\ud800", max_size=4),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=200)
def test_any_change_of_a_valid_text(changes) -> None:
    text = VALID
    for start, length, inserted in changes:
        text = text[:start] + inserted + text[start + length :]
    parse(text)


@given(st.data())
def test_what_is_right_and_stands_behind_is_read(data) -> None:
    places = _places(VALID)
    start, end = places[data.draw(st.integers(0, len(places) - 1))]
    text = VALID[:start] + VALID[end:]
    tree = parse(text + ";\nROLE last;").tree
    assert tree.statements, text


def _places(text: str) -> list[tuple[int, int]]:
    lexemes = parser().lexer.tokens(text)
    next(lexemes)
    places = []
    while (lexeme := lexemes.send(ANYTHING))[0] != "$END":
        places.append(lexeme[2:])
    return places


def test_the_valid_text_is_valid() -> None:
    assert not parse(VALID).diagnostics


@pytest.mark.parametrize("end", range(0, len(VALID), 7))
def test_a_text_that_is_cut_off(end) -> None:
    # One fault; where a text is cut off inside, there is another.
    assert len(parse(VALID[:end]).diagnostics) <= 2


def test_one_token_less_is_rarely_more_than_one_error() -> None:
    counts = [len(parse(VALID[:start] + VALID[end:]).diagnostics) for start, end in _places(VALID)]
    assert sum(count > 1 for count in counts) <= len(counts) // 40
    assert max(counts) <= 3


@pytest.mark.parametrize(
    "deep",
    [
        "WORKSPACE W (TABLE T (CHECK (" + "(" * 50_000,
        "WORKSPACE W (TABLE T (CHECK (" + "NOT " * 50_000 + "a)));",
        "WORKSPACE W (" * 20_000,
        "WORKSPACE W (TABLE T (" + "x TABLE T (" * 20_000,
        "WORKSPACE W (TABLE T (CHECK (" + "f(" * 20_000,
    ],
)
def test_deep_nesting_is_a_diagnostic(deep) -> None:
    parsed = parse(deep)
    assert [report.code for report in parsed.diagnostics] == ["nesting"]


def test_nesting_that_somebody_may_mean_is_accepted() -> None:
    assert not parse(f"WORKSPACE W (TABLE T (CHECK ({'(' * 60}a{')' * 60})));").diagnostics
    assert not parse("WORKSPACE W (" * 15 + ")" * 15).diagnostics


@pytest.mark.parametrize("faults", ["FOO x;\n", "ROLE a b c d;\n", "\0;\n", "ROLE 'a\\q';\n", "DECLARE x;\n"])
def test_the_number_of_reports_is_bounded(faults) -> None:
    reports = parse(faults * 20_000).diagnostics
    assert len(reports) == 101
    assert reports[-1].code == "too-many"


def test_errors_that_are_not_reported_are_bounded_too() -> None:
    assert parse("WORKSPACE W (); TABLE A ());" * 2000).diagnostics[-1].code == "too-many"


HEAVY = {
    "parentheses": "(",
    "alternatives": ("WORKSPACE W (TABLE T (CHECK (a", " OR a", ")));"),
    "path": ("WORKSPACE W (TABLE T (CHECK (a", ".a", ")));"),
    "white space": " \n",
    "open comments": "/* ",
    "stars": ("/*", "*", ""),
    "open texts": "\\'\n",
    "quotes": "'",
    "backquotes": "`",
    "double quotes": '"a',
    "double quotes behind an error": ("WORKSPACE W (FOO ", '"', ""),
    "texts that look closed": ("'", "\\'\n", ""),
    "binary": "\0\x01\xff",
    "surrogates": "\ud800x",
    "words": "a ",
    "one word": "a",
    "digits": "1",
    "keywords": "GET\n",
    "statements": "ROLE a;\n",
    "faults": "ROLE a b c;\n",
    "gaps in names": "a /**/ . ",
    "gaps in keywords": "NOT /**/ ",
    "fields": ("WORKSPACE W (TABLE T (a int", ", a int NOT NULL", "));"),
    "faulty fields": ("WORKSPACE W (TABLE T (a int", ", a int x y z", "));"),
    "tables": ("WORKSPACE W (", "TABLE T (a int\n", ""),
    "storages": ("STATESTORAGE ENGINE WASM (", "A ", ")"),
    "closed too early": "WORKSPACE W (); TABLE A ());\n",
    "tags": ("WORKSPACE W (TABLE T () WITH Tags=(a)", ", Tags=(a)", ");"),
    "escapes": ("IMPORT SCHEMA '", "\\n", "'"),
}


@pytest.mark.soak
@pytest.mark.parametrize("kind", HEAVY)
def test_time_grows_with_the_length_alone(kind) -> None:
    def seconds(length: int) -> float:
        piece = HEAVY[kind]
        before, middle, after = (piece, piece, piece) if isinstance(piece, str) else piece
        text = before + middle * (length // len(middle)) + after
        started = time.process_time()
        parse_file(text, file="a.vsql", package="a/b")
        return time.process_time() - started

    small = min(seconds(100_000) for _ in range(3))
    large = min(seconds(800_000) for _ in range(2))
    assert large < 8 * 3 * small + 0.2


@pytest.mark.soak
@given(st.text(st.characters(exclude_categories=()), max_size=2000))
@settings(max_examples=20_000, deadline=None)
def test_any_text_at_length(text) -> None:
    parse(text)


@pytest.mark.soak
@given(st.lists(st.sampled_from([*_WORDS, *_PLAIN.values(), "a.b", "\n", "(", ")", ";", ","]), max_size=300))
@settings(max_examples=20_000, deadline=None)
def test_any_soup_of_tokens_at_length(words) -> None:
    parse(" ".join(_PLAIN.get(word, word) for word in words))
