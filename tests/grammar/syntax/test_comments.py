from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("before", "comment"),
    [
        ("", ""),
        ("-- One.\n", "One."),
        ("--One.\n--   Two. \n", "One.\nTwo."),
        ("-- Old.\n\n-- New.\n", "New."),
        ("/* One. */", "One."),
        ("/*\n * One.\n *\n *  Two.\n */\n", "One.\n\nTwo."),
        ("/* Old. */ /* New. */\n", "New."),
        ("/* Old. */\n-- New.\n", "New."),
        ("-- Old.\n/* New. */\n", "New."),
        ("-- Far away.\n\n\n", "Far away."),
        ("-- \n", ""),
    ],
)
def test_the_last_block_before_a_statement_is_its_comment(syntax, before, comment) -> None:
    assert syntax.one(f"{before}ROLE a;").comment == comment
    assert syntax.accepts(f"ROLE x;\n{before}ROLE a;")[1].comment == comment


def test_what_stands_behind_a_statement_is_not_the_comment_of_the_next(syntax) -> None:
    first, second, third = syntax.accepts("ROLE a; -- about a\nROLE b; /* about b */\n-- about c\nROLE c;")
    assert (first.comment, second.comment, third.comment) == ("", "", "about c")


def test_every_kind_of_statement_keeps_its_comment(syntax) -> None:
    found = syntax.accepts(
        _commented("IMPORT SCHEMA 'a'", "APPLICATION a ()", "DECLARE a int DEFAULT 1", "PARAMETER a int")
        + _commented("SECRET b text", "TEMPLATE t OF WORKSPACE a SOURCE b", "STATESTORAGE ENGINE WASM (A)")
        + _commented("EXTENSION ENGINE WASM ()", "ALTER WORKSPACE a ()", "PUBLISHED ROLE a")
        + "\n-- c\nABSTRACT WORKSPACE w ("
        + _commented(
            "DESCRIPTOR ()", "RATE a 1 PER DAY", "VIEW a () AS RESULT OF b", "USE WORKSPACE x", "ROLE y"
        )
        + _commented(
            "TAG t", "TABLE t ()", "ABSTRACT TABLE u ()", "TYPE v ()", "LIMIT l ON VIEW v WITH RATE r"
        )
        + _commented("GRANT a TO b", "REVOKE ALL ON ALL TABLES FROM b")
        + "\n-- c\nEXTENSION ENGINE WASM ("
        + _commented("COMMAND a", "QUERY b", "SYNC PROJECTOR c CRON ''", "JOB d", "FUNCTION e() RETURNS int")
        + "));"
    )
    workspace = found[-1]
    extensions = workspace.statements[-1].items
    assert len(found) + len(workspace.statements) + len(extensions) == 11 + 12 + 5
    comments = {item.comment for item in (*found, *workspace.statements, *extensions, workspace.descriptor)}
    assert comments == {"c"}


def _commented(*statements: str) -> str:
    return "".join(f"\n-- c\n{statement};" for statement in statements)


def test_with_comment_overrides_the_comment_before(syntax) -> None:
    assert syntax.inner("-- old\nTABLE T () WITH Comment='new'").comment == "new"
    assert syntax.extension("\n-- old\nCOMMAND c WITH Tags=(t)").comment == "old"
    block = syntax.one("STATESTORAGE ENGINE WASM (-- no\n-- old\nSTORAGE A; STORAGE B WITH Comment='b')")
    assert [storage.comment for storage in block.storages] == ["old", "b"]
