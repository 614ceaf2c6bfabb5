from __future__ import annotations

import pytest

from statehold_vsql.syntax.nodes import Name, Span, Text


@pytest.mark.parametrize(
    "name", ["SELECTED", "TABLES", "EXECUTEX", "UNLOGGEDX", "Tables", "ROLE", "TABLE", "SELECT"]
)
def test_a_word_is_a_keyword_only_where_one_is_expected(syntax, name) -> None:
    assert syntax.one(f"ROLE {name};").name.text == name


@pytest.mark.parametrize(
    "word", ["UNIQUE", "UNIQUEFIELD", "CHECK", "CONSTRAINT", "ABSTRACT", "ref", "text", "PRIMARY"]
)
def test_a_field_may_be_named_like_a_keyword(syntax, word) -> None:
    table = syntax.inner(f"TABLE T ({word} text NOT NULL, {word} ref(T), UNIQUE (a))")
    assert [item.name.text for item in table.items[:2]] == [word, word]


@pytest.mark.parametrize("word", ["PRIMARY", "KEY", "text", "ref", "NOT", "int32"])
def test_a_field_of_a_view_may_be_named_like_a_keyword(syntax, word) -> None:
    view = syntax.inner(f"VIEW V ({word} int, PRIMARY KEY ((a), b)) AS RESULT OF p")
    assert view.items[0].name.text == word


def test_a_role_may_be_named_like_an_action(syntax) -> None:
    assert syntax.inner("GRANT INSERT TO ALL").granted.text == "INSERT"
    assert syntax.inner("REVOKE ALL FROM x").granted.text == "ALL"


def test_a_parameter_may_be_named_like_its_type(syntax) -> None:
    params = syntax.extension("FUNCTION f(text text, int, int32 int, x y.z) RETURNS bool").params
    assert [param.name and param.name.text for param in params] == ["text", None, "int32", "x"]


def test_keywords_are_in_these_letters(syntax) -> None:
    assert "did you mean ROLE?" in syntax.report("»role x;")


def test_a_name_may_stand_in_double_quotes_and_is_no_keyword_then(syntax) -> None:
    role = syntax.one('ROLE "Abc";')
    assert role.name == Name("Abc", Span(1, 6, 1, 11))
    table = syntax.inner('TABLE T ("UNIQUE" T, "bytes" "sys" . "bytes")')
    assert [item.name.text for item in table.items] == ["UNIQUE", "bytes"]
    assert table.items[1].type.text == "sys.bytes"


def test_a_name_has_at_most_255_characters(syntax) -> None:
    assert syntax.one(f"ROLE {'a' * 255};").name.text == "a" * 255
    assert "longer than 255" in syntax.report(f"ROLE »{'a' * 256};")
    assert "longer than 255" in syntax.report(f"TEMPLATE t OF WORKSPACE »{'a' * 256}.b SOURCE s;")


@pytest.mark.parametrize("gap", [" ", "\n", "\t\r\n", "/**/", " -- not /*\n", "/* * / */ /***/\n--\n"])
def test_white_space_and_comments_may_stand_in_keywords_of_several_words(syntax, gap) -> None:
    syntax.inner(f"TABLE T (a int NOT{gap}NULL, b character{gap}varying (3), c double{gap}precision{gap})")
    syntax.inner(
        f"VIEW V (a int, b binary{gap}large{gap}object, PRIMARY{gap}KEY ((a), b)) AS{gap}RESULT{gap}OF p"
    )
    syntax.inner(f"GRANT{gap}EXECUTE{gap}ON{gap}ALL{gap}QUERIES{gap}WITH{gap}TAG t TO r")
    syntax.inner(f"LIMIT l ON{gap}EACH{gap}VIEW WITH{gap}RATE{gap}r")
    syntax.inner(f"RATE r 1 PER 2 HOURS PER{gap}APP{gap}PARTITION PER{gap}IP")
    syntax.one(f"EXTENSION{gap}ENGINE WASM ();")
    syntax.one(f"TEMPLATE t OF WORKSPACE a{gap}.{gap}b SOURCE c")


def test_a_span_reaches_over_the_lines_of_a_keyword(syntax) -> None:
    table = syntax.inner("TABLE T (a int NOT\n  NULL, b int)")
    first, second = table.items
    assert first.span == Span(1, 23, 2, 7)
    assert second.name.span == Span(2, 9, 2, 10)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_end_in_each_of_the_three_ways(syntax, ending) -> None:
    role = syntax.one(f"-- first{ending}{ending}/* a{ending}b */ ROLE{ending}\tx;")
    assert role.span == Span(4, 6, 5, 3)
    assert role.comment == "a\nb"


def test_a_byte_order_mark_does_not_count(syntax) -> None:
    assert syntax.one("\ufeffROLE x;").span == Span(1, 1, 1, 7)
    assert "byte order mark" in syntax.report("ROLE »\ufeffx;")


def test_columns_count_characters(syntax) -> None:
    (imported,) = syntax.accepts("/* 𝄞é */ IMPORT SCHEMA 'ж𝄞' AS b")
    assert imported.path.span == Span(1, 24, 1, 28)
    assert imported.alias.span == Span(1, 32, 1, 33)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"a\'b", "a'b"),
        (r"\\d+\"", '\\d+"'),
        (r"\a\b\f\n\r\t\v", "\a\b\f\n\r\t\v"),
        (r"\x41\101\u00e9\U0001d11e", "AA\u00e9\U0001d11e"),
        ("a\n-- no comment\n/* neither", "a\n-- no comment\n/* neither"),
        ("", ""),
        ("ж\0", "ж\0"),
    ],
)
def test_a_text_has_the_escapes_of_go(syntax, written, value) -> None:
    (imported,) = syntax.accepts(f"IMPORT SCHEMA '{written}'; ROLE x;")[:1]
    assert imported.path.value == value


@pytest.mark.parametrize(
    "written", [r"\d", r"\x4", r"\u12", r"\ud800", r"\U00110000", r"\8", r"\477", "\\\n", r"\ж"]
)
def test_an_unknown_escape_is_reported_at_its_text(syntax, written) -> None:
    assert "\\" in syntax.report(f"IMPORT SCHEMA »'a{written}z';\nROLE x;")


def test_double_quotes_hold_no_texts(syntax) -> None:
    assert "single quotes" in syntax.report('WORKSPACE W (TAG x FEATURE »"two words";)')


def test_two_single_quotes_are_no_escape(syntax) -> None:
    syntax.report("IMPORT SCHEMA 'a'»'b';")


@pytest.mark.parametrize("number", ["0", "-1", "+5", "9223372036854775807", "-9223372036854775808"])
def test_whole_numbers_have_64_bits(syntax, number) -> None:
    assert syntax.one(f"DECLARE d int DEFAULT {number};").default.value == int(number)


@pytest.mark.parametrize("number", ["9223372036854775808", "1" * 5000, "1" * 400 + ".5"])
def test_a_number_too_large_is_reported(syntax, number) -> None:
    assert "number" in syntax.report(f"DECLARE d int DEFAULT »{number};")


def test_a_sign_belongs_to_a_number_only_where_one_may_begin(syntax) -> None:
    table = syntax.inner("TABLE T (CHECK (a -1 > -1), CHECK (a+1 = 2-1))")
    assert [item.check.operands[0].operator for item in table.items] == ["-", "+"]
    assert table.items[0].check.operands[1].value == -1


def test_backquotes_hold_a_config_as_it_is(syntax) -> None:
    block = syntax.one("STATESTORAGE ENGINE BUILTIN (A WITH JSONCONFIG=`{\n\\d 'x'}`)")
    assert block.storages[0].config == Text("{\n\\d 'x'}", Span(1, 48, 2, 9))
    assert syntax.one("STATESTORAGE ENGINE BUILTIN (A WITH JSONCONFIG='{}')").storages[0].config.value == "{}"


@pytest.mark.parametrize("stray", ["\xa0", "\u3000", "ж", "é1", "#", "{", "\0", "\x0b", "~~~", "\u2028"])
def test_a_stray_character_is_reported_once(syntax, stray) -> None:
    syntax.report(f"ROLE a; ROLE b»{stray};\nROLE c;")


def test_a_name_with_other_letters_is_reported_once(syntax) -> None:
    assert "'Имя'" in syntax.report("ROLE »Имя; ROLE x;")
    syntax.report("ROLE na»ïve; ROLE x;")
    syntax.report("ROLE »_x; ROLE x;")


def test_half_a_character_is_reported(syntax) -> None:
    assert "UTF-8" in syntax.report("-- »\udc80\nROLE x;")
    assert "UTF-8" in syntax.report("IMPORT SCHEMA 'a»\ud800b'; ROLE x;")


def test_an_open_comment_is_reported_where_it_begins(syntax) -> None:
    parsed = syntax.parse("ROLE a; WORKSPACE W (ROLE b; /* no end")
    (report,) = parsed.diagnostics
    assert (report.line, report.column) == (1, 30)
    assert [statement.name.text for statement in parsed.tree.statements] == ["a", "W"]


def test_comments_are_not_nested(syntax) -> None:
    syntax.report("/* /* */ »*/ ROLE x;")


def test_an_open_text_is_reported_where_it_begins(syntax) -> None:
    assert "no closing '" in syntax.report("IMPORT SCHEMA »'abc;\nROLE x;\nROLE y;")


@pytest.mark.parametrize(
    "text",
    [
        "DECLARE n int DEFAULT »1.5",
        "WORKSPACE W (RATE r »1.5 PER HOUR)",
        "WORKSPACE W (RATE r 5 PER »0.5 HOURS)",
        "WORKSPACE W (TYPE t (a varchar(»2.5)))",
        "WORKSPACE W (TYPE t (a int DEFAULT »-1.5))",
        "STATESTORAGE ENGINE WASM (A (GET SCOPE(JOBS)) KEY (a text(»9.0)))",
    ],
)
def test_a_fraction_where_a_whole_number_stands_is_one_error(syntax, text) -> None:
    assert "a whole number is expected here" in syntax.report(text)


def test_a_fraction_stands_in_a_parameter_and_in_an_expression(syntax) -> None:
    assert syntax.one("PARAMETER p float64 DEFAULT -1.5").default.value == -1.5
    (check,) = syntax.inner("TYPE t (CHECK (a < 1.5))").items
    assert check.check.operands[1].value == 1.5
