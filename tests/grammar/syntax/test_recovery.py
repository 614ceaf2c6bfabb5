"""After an error everything else is still read: one report per fault, and what is right is kept."""

from __future__ import annotations

import re

import pytest

FAULTY = """
STATESTORAGE ENGINE BUILTIN (
  A (
   GET SCOPE(»COMANDS),
   READ SCOPE(QUERIES,
   »INSERT SCOPE(JOBS),
   UPDATE »SCOP(JOBS)
  )
  B ( »GETT SCOPE(JOBS) );
  C ( GET SCOPE(») );
)
WORKSPACE W (
  EXTENSION ENGINE BUILTIN (
    COMMAND E STATE(»);
    COMMAND F(a »STATE(sys.X);
    QUERY G »RETRNS x;
    COMMAND H(x) INTENTS(sys.X) »STATE(sys.Y);
    PROJECTOR I AFTER »INSRT ON x;
    JOB J STATE(sys.Http)
  );
  TABLE K (a varchr»(5), b int »NOTNULL, c int »DEFALT 5, d int);
  »table L ();
  VIEW M (a int, PRIMARY KEY((a), b) »AS RESULT OF x;
  GRANT ALL ON »EVERYTHING TO x;
  ROLE N;
);
ROLE O »
"""


def test_every_fault_of_a_file_is_reported_once(syntax) -> None:
    messages = syntax.reports(FAULTY.replace("ROLE O »", "ROLE O"))
    meant = [found[1] for message in messages if (found := re.search(r"did you mean (.*)\?", message))]
    assert meant == [
        "COMMANDS", "SCOPE", "GET", "RETURNS", "INSERT", "varchar", "NOT NULL", "DEFAULT", "TABLE",
    ]  # fmt: skip


def test_what_is_right_is_kept(syntax) -> None:
    tree = syntax.parse(FAULTY.replace("»", "")).tree
    block, workspace, role = tree.statements
    first, second, third = block.storages
    assert [operation.operation for operation in first.operations] == ["GET", "INSERT", "UPDATE"]
    assert [first.is_partial, second.is_partial, third.is_partial] == [True, False, True]
    extensions, table, other, view, last = workspace.statements
    assert [item.name.text for item in extensions.items] == ["F", "G", "I", "J"]
    assert [item.name.text for item in table.items] == ["b", "c", "d"]
    assert (table.is_partial, extensions.is_partial, workspace.is_partial, view.is_partial) == (
        True,
        True,
        True,
        False,
    )
    assert (other.name.text, last.name.text, role.name.text) == ("L", "N", "O")
    assert tree.is_partial


def test_the_names_in_what_is_lost_are_told(syntax) -> None:
    parsed = syntax.parse(
        "WORKSPACE W (TABLE T (a int, b int = 5, c int); GRANT foo bar bar2 TO Baz; ROLE r);"
    )
    assert len(parsed.diagnostics) == 2
    assert parsed.is_partial
    assert {"b", "foo", "bar", "Baz"} <= parsed.damaged_names
    assert not {"a", "c", "r", "T", "W"} & parsed.damaged_names


def test_a_repair_costs_nothing(syntax) -> None:
    parsed = syntax.parse("WORKSPACE W (TABLE T (a int b int); ROL r);")
    assert len(parsed.diagnostics) == 2
    assert (parsed.is_partial, parsed.damaged_names) == (False, frozenset())
    table, role = parsed.tree.statements[0].statements
    assert [item.name.text for item in table.items] == ["a", "b"]
    assert role.name.text == "r"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ROLE a »ROLE b", '";" is missing before "ROLE"'),
        ("ROLE a;»; ROLE b", "one ; is enough"),
        ("WORKSPACE W (TABLE T (a int,»))", "remove the comma before it"),
        ("WORKSPACE W (TABLE T (a int);»", 'the "(" in line 1 is not closed'),
        ("EXTENSION ENGINE »Wasm ();", "did you mean WASM?"),
        ("»EXTENSOIN ENGINE WASM ();", "did you mean EXTENSION?"),
        ("EXTENSION »WASM ();", '"ENGINE" is missing before "WASM"'),
        ("WORKSPACE W (TABLE T (a int); »GARBAGE x)", "expected a statement"),
        (
            "STATESTORAGE ENGINE WASM (A (GET SCOPE(»FOO)))",
            'expected "COMMANDS", "JOBS", "PROJECTORS" or "QUERIES"',
        ),
        ("WORKSPACE W (TABLE T (a varchar(»x)))", "expected a number"),
        ("WORKSPACE W (TABLE T (a int) WITH Comment=»5)", "expected a text in quotes"),
        ("WORKSPACE »(ROLE x);", 'unexpected "(": expected a name'),
        ("WORKSPACE W (TABLE T (a int »NULL));", "leave NULL out"),
        ("WORKSPACE W (TABLE T (a int»(5)));", "int has no length"),
        ("WORKSPACE W (GRANT DELETE »ON TABLE t TO r);", "DELETE is no action: there are ALL, SELECT"),
        ("WORKSPACE W (EXTENSION ENGINE WASM (COMMAND c RETURNS x »STATE(y)))", "stand in the order STATE"),
        (
            "WORKSPACE W (EXTENSION ENGINE WASM (PROJECTOR p AFTER »ON x))",
            'expected "ACTIVATE", "DEACTIVATE", "EXECUTE"',
        ),
    ],
)
def test_a_message_says_what_was_expected_in_plain_words(syntax, text, message) -> None:
    assert message in syntax.report(text)


BLOCKS = """
WORKSPACE W (
  TABLE T (
    a int,
    b int
  );
  EXTENSION ENGINE WASM (
    COMMAND c(x) STATE(sys.Http) RETURNS y;
    QUERY d RETURNS z;
  );
  GRANT EXECUTE ON ALL QUERIES TO r;
  VIEW v (a int, PRIMARY KEY ((a), b)) AS RESULT OF p;
);
EXTENSION ENGINE BUILTIN (STORAGE s (GET SCOPE(COMMANDS, QUERIES, JOBS)));
ROLE r;
"""


@pytest.mark.parametrize("sign", "(),;")
def test_a_sign_too_few_is_one_error(syntax, sign) -> None:
    for found in re.finditer(re.escape(sign), BLOCKS):
        text = BLOCKS[: found.start()] + " " + BLOCKS[found.end() :]
        reports = syntax.parse(text).diagnostics
        if (
            text[: found.start()].endswith(("RETURNS z", ") RETURNS y", "r"))
            or found.start() > len(BLOCKS) - 5
        ):
            continue  # the last one of its list may be missing
        assert len(reports) <= 2, f"{text}\n" + "\n".join(map(str, reports))


@pytest.mark.parametrize("sign", "(),;")
def test_a_sign_too_many_is_one_error(syntax, sign) -> None:
    for found in re.finditer(r"\n", BLOCKS):
        text = f"{BLOCKS[: found.start()]} {sign}{BLOCKS[found.start() :]}"
        reports = syntax.parse(text).diagnostics
        assert len(reports) <= 2, f"{text}\n" + "\n".join(map(str, reports))


def test_a_block_that_is_closed_too_early_is_one_error(syntax) -> None:
    text = BLOCKS.replace("b int\n  );", "b int\n  ));").replace("  GRANT", "  »GRANT")
    assert "closes the block too early" in syntax.report(text)
    view = syntax.parse(text.replace("»", "")).tree.statements[2].statements[1]
    assert view.name.text == "v"


def test_a_block_that_is_not_closed_is_one_error(syntax) -> None:
    text = BLOCKS.replace("RETURNS z;\n  );", "RETURNS z;").replace("  GRANT", "  »GRANT")
    assert syntax.report(text) == '")" is missing before "GRANT"'


def test_a_storage_block_that_is_not_closed_is_one_error(syntax) -> None:
    text = "STATESTORAGE ENGINE WASM (\n  A (GET SCOPE(JOBS))\n  B\n»WORKSPACE W (TABLE T (a int)); ROLE r;"
    assert syntax.report(text) == '")" is missing before "WORKSPACE"'
    _, workspace, role = syntax.parse(text.replace("»", "")).tree.statements
    assert (workspace.statements[0].name.text, role.name.text) == ("T", "r")


def test_garbage_in_neighbouring_statements_is_reported_for_each(syntax) -> None:
    syntax.reports("»FOO a b c;\n»BAR d e f;\nROLE a;\n»QUX g h i;")


STORAGE = """
STATESTORAGE ENGINE PYPLUGIN (
  STORAGE A (GET SCOPE(COMMANDS), READ SCOPE(JOBS))
  KEY (D int)
  VALUE (X int)
  WITH PROVIDER=P;
  B
);
WORKSPACE W ();
"""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("A (GET", "A »GET"),
        ("STORAGE A (GET", "A »GET"),
        ("STORAGE A (GET", "A\n»GET"),
        ("SCOPE(JOBS)", "SCOPE »JOBS)"),
        ("JOBS))", "JOBS)"),
        ("KEY (D", "KEY »D"),
        ("(D int)", "(D int"),
        ("(D int)", "(D text NOT NULL"),
        ("(X int)", "(X int"),
        ("KEY (D int)", "ENTITY »TABLE"),
        ("KEY (D int)", "ENTITY »NOTHING"),
        ("VALUE (X int)", "»KEY (X int)"),
        ("WITH PROVIDER=P", "»PROVIDER=P"),
        ("D int", "D int »NULL"),
        ("D int", "D int »NOT"),
        ("D int", "D int »NOT d"),
    ],
)
def test_a_fault_in_a_storage_is_one_error(syntax, right, wrong) -> None:
    assert right in STORAGE
    text = STORAGE.replace(right, wrong, 1)
    if "»" not in wrong:  # what is missing is missed at the next word
        end = text.index(wrong) + len(wrong)
        end += len(text[end:]) - len(text[end:].lstrip())
        text = f"{text[:end]}»{text[end:]}"
    syntax.report(text)


def test_a_comma_is_not_missing_before_a_misplaced_keyword(syntax) -> None:
    text = "WORKSPACE W (TYPE T (a int »NULL, b int VERIFIABLE »NOT NULL, c int »UNIQUE (a)));"
    found = syntax.reports(text)
    assert ["is missing before" in report for report in found] == [False, False, True]
