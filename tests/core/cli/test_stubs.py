"""`statehold stubs` writes the stubs of a project, and says whether they are up to date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from statehold.cli import run

VSQL = """
APPLICATION shop();
SECRET Bank text;
PARAMETER Url text;
WORKSPACE ShopWS (
  DESCRIPTOR Shop ();
  TYPE P (Name varchar);
  EXTENSION ENGINE PYTHON (COMMAND Sell(P) INTENTS(sys.Logger));
);
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "acme.shop"
    package = folder / "image" / "pkg" / "acme.example" / "shop"
    package.mkdir(parents=True)
    (folder / "descriptor.json").write_text("{}")
    (package / "shop.vsql").write_text(VSQL)
    return folder


@pytest.fixture
def target(project: Path) -> Path:
    return project / "image" / "pkg" / "acme.example" / "shop" / "extensions" / "calls.pyi"


def test_it_writes_them_before_there_is_any_code(project, target, capsys):
    assert run(["stubs", str(project)]) == 0
    assert "class Sell:" in target.read_text()
    out, err = capsys.readouterr()
    assert out == f"✓ 1 file written\n  {target}\n"
    assert "warning: parameter shop.Url" in err


def test_check_fails_until_they_are_written_and_after_a_change(project, target, capsys):
    assert run(["stubs", "--check", str(project)]) == 1
    assert not target.exists()
    assert f"{target} is out of date" in capsys.readouterr().out
    run(["stubs", str(project)])
    assert run(["stubs", "--check", str(project)]) == 0
    schema = target.parents[1] / "shop.vsql"
    schema.write_text(schema.read_text().replace("Name varchar", "Nick varchar"))
    assert run(["stubs", "--check", str(project)]) == 1
    assert "Nick" not in target.read_text()


def test_what_is_up_to_date_is_not_touched(project, target):
    run(["stubs", str(project)])
    before = target.stat().st_mtime_ns
    run(["stubs", str(project)])
    assert target.stat().st_mtime_ns == before


def test_json_names_the_files(project, target, capsys):
    run(["stubs", "--json", "--check", str(project)])
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["files"], document["stale"]) == (False, [str(target)], [str(target)])


def test_a_module_of_that_name_is_not_hidden(project, target, capsys):
    target.parent.mkdir()
    target.with_suffix(".py").write_text("")
    assert run(["stubs", str(project)]) == 1
    assert "calls.pyi would hide calls.py" in capsys.readouterr().err


def test_errors_in_the_declarations_are_shown(project, target, capsys):
    (target.parents[1] / "shop.vsql").write_text("APPLICATION shop(;")
    assert run(["stubs", str(project)]) == 1
    assert "error:" in capsys.readouterr().err
