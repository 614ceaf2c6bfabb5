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
        "-- c\nIMPORT SCHEMA 'a';\n-- c\nAPPLICATION a ();\n-- c\nDECLARE a int DEFAULT 1;\n-- c\nPARAMETER a int;\n"
        "-- c\nSECRET b text;\n-- c\nTEMPLATE t OF WORKSPACE a SOURCE b;\n-- c\nSTATESTORAGE ENGINE WASM (A)\n"
        "-- c\nEXTENSION ENGINE WASM ();\n-- c\nALTER WORKSPACE a ();\n-- c\nPUBLISHED ROLE a;\n"
        "-- c\nABSTRACT WORKSPACE w (\n-- c\nDESCRIPTOR ();"
        "-- not\n-- c\nRATE a 1 PER DAY;\n-- c\nVIEW a () AS RESULT OF b;\n-- c\nUSE WORKSPACE x;\n-- c\nROLE y;\n"
        "-- c\nTAG t;\n-- c\nEXTENSION ENGINE WASM (\n-- c\nCOMMAND a;\n-- c\nQUERY b;\n-- c\nSYNC PROJECTOR c CRON '';\n"
        "-- c\nJOB d;\n-- c\nFUNCTION e() RETURNS int);\n-- c\nTABLE t ();\n-- c\nABSTRACT TABLE u ();\n-- c\nTYPE v ();\n"
        "-- c\nLIMIT l ON VIEW v WITH RATE r;\n-- c\nGRANT a TO b;\n-- c\nREVOKE ALL ON ALL TABLES FROM b\n);"
    )
    workspace = found[-1]
    block = workspace.statements[5]
    assert {item.comment for item in (*found, *workspace.statements, workspace.descriptor, *block.items)} == {
        "c"
    }


def test_with_comment_overrides_the_comment_before(syntax) -> None:
    assert syntax.inner("-- old\nTABLE T () WITH Comment='new'").comment == "new"
    assert syntax.extension("\n-- old\nCOMMAND c WITH Tags=(t)").comment == "old"
    block = syntax.one("STATESTORAGE ENGINE WASM (-- no\n-- old\nSTORAGE A; STORAGE B WITH Comment='b')")
    assert [storage.comment for storage in block.storages] == ["old", "b"]
