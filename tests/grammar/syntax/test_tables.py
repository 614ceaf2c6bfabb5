from __future__ import annotations

import json
import logging
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import lark
import pytest

import statehold_vsql
from statehold_vsql.syntax import _tables
from statehold_vsql.syntax._actions import ACTIONS
from statehold_vsql.syntax._building import build_tables, missing_actions
from statehold_vsql.syntax._levels import BEFORE, INSIDE, LEVELS, LISTS
from statehold_vsql.syntax._tables import decode, encode, load_tables

FOLDER = Path(statehold_vsql.__file__).parent
GRAMMAR = FOLDER.joinpath("vsql.lark").read_text("utf-8")
TABLES = FOLDER.joinpath("vsql.tables").read_text("utf-8")


@pytest.fixture
def built():
    return build_tables(GRAMMAR)


def test_the_tables_are_in_step_with_the_grammar(built) -> None:
    assert encode(built, grammar=GRAMMAR) == TABLES, "the grammar has changed: run `make tables`"


def test_the_tables_are_the_same_in_every_process() -> None:
    code = (
        "from statehold_vsql.syntax._building import build_tables\n"
        "from statehold_vsql.syntax._tables import encode\n"
        "import sys\n"
        f"grammar = open({str(FOLDER / 'vsql.lark')!r}, encoding='utf-8').read()\n"
        "sys.stdout.write(encode(build_tables(grammar), grammar=grammar))\n"
    )
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert ran.stdout == TABLES


def test_what_is_written_is_read_back(built) -> None:
    assert decode(TABLES, grammar=GRAMMAR) == built


def test_the_grammar_has_no_conflicts(caplog) -> None:
    caplog.set_level(logging.DEBUG, logger=lark.logger.name)
    lark.Lark(GRAMMAR, parser="lalr", start="file", debug=True)
    assert not [record for record in caplog.records if "conflict" in record.getMessage()]


def test_every_rule_has_its_action_and_every_action_its_rule() -> None:
    tables = load_tables()
    assert not missing_actions(tables, ACTIONS)
    assert not set(ACTIONS) - {action for _, _, action in tables.rules}


def test_the_parser_does_not_import_lark() -> None:
    code = (
        "import sys; from statehold_vsql.syntax import parse_file;"
        "parse_file('ROLE x', file='', package=''); assert 'lark' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_recovery_knows_the_rules_of_the_grammar() -> None:
    tables = load_tables()
    rules = {name for name, _, _ in tables.rules}
    assert set(LEVELS) | set(LISTS) | set(BEFORE) <= rules
    words = {word for row in tables.actions for word in row}
    assert words >= INSIDE
    assert words >= frozenset.union(*(level.beginnings for level in LEVELS.values()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        json.dumps({"format": 0, "grammar": ""}).encode(),
        TABLES.replace('"format":1', '"format":2').encode(),
        TABLES.replace('"rows":[', '"rows":[],"more":[').encode(),
        None,
    ],
)
def test_without_fitting_tables_they_are_built_in_memory(monkeypatch, content, built) -> None:
    def read(package: str, name: str) -> bytes | None:
        return content if name == "vsql.tables" else pkgutil.get_data(package, name)

    monkeypatch.setattr(_tables, "_read", read)
    assert load_tables.__wrapped__() == built


def test_tables_of_another_grammar_are_not_used() -> None:
    with pytest.raises(ValueError, match="not those of this grammar"):
        decode(TABLES, grammar=GRAMMAR + "\n// changed")
