"""Stubs are right whatever the declarations call their things, and the code runs as they say."""

from __future__ import annotations

import subprocess
import sys

from statehold.extensions.stubs import STUBS, write_stubs
from statehold.testing.extensions import Project

VSQL = """
APPLICATION odd();
STATESTORAGE ENGINE BUILTIN (
  -- Größe und \"Anführung\"\"\" \\ 日本 \"\"\"
  STORAGE Key (
    GET SCOPE(COMMANDS, QUERIES), INSERT SCOPE(COMMANDS), UPDATE SCOPE(COMMANDS), READ SCOPE(QUERIES)
  ) KEY   (class text NOT NULL, key int32 NOT NULL)
  VALUE (self text NOT NULL, value int64, get bool, put bytes, read float32, insert money, update timestamp,
         None text, from qname)
  WITH PROVIDER=Table;
  STORAGE arg (GET SCOPE(COMMANDS)) KEY (a int32) VALUE (b text) WITH PROVIDER=Table;
  STORAGE View (GET SCOPE(COMMANDS)) KEY (a int32) VALUE (b text) WITH PROVIDER=Table;
)
ALTER WORKSPACE sys.AppWorkspaceWS (EXTENSION ENGINE PYTHON (JOB tuple '@hourly' INTENTS(sys.Logger);););
WORKSPACE W (
  DESCRIPTOR D ();
  TABLE get INHERITS sys.CDoc (
    class text, f32 float32,
    f64 float64, i32 int32 NOT NULL, i64 int64, m money, t timestamp, q qname, by bytes,
    bo bool, r ref(get), v varchar(20),
    Any TABLE Optional INHERITS sys.CRecord (int int64, str text, Any text, tuple float64, x int32)
  );
  TABLE Value INHERITS sys.WDoc (a int32);
  TYPE Event (a int32, class text, get int32);
  TYPE overload (from text NOT NULL, Import text, bool bool, int int32, str text);
  TYPE List (b int32, e Event);
  VIEW Log (a int32 NOT NULL, class text NOT NULL, c ref(get), PRIMARY KEY ((a), class)) AS RESULT OF P;
  EXTENSION ENGINE PYTHON (
    -- Tut \"etwas\" mit Ümläuten\\
    COMMAND Iterable(Event)
      STATE(Key, arg, odd.View, sys.Record(get, Value), sys.View(Log))
      INTENTS(Key, sys.Record(get, Value), sys.Response, sys.Logger) RETURNS overload;
    COMMAND class(any) RETURNS List;
    QUERY str(overload) STATE(Key) RETURNS Event;
    PROJECTOR P AFTER EXECUTE ON Iterable STATE(sys.View(Log), sys.Record(get)) INTENTS(sys.View(Log));
  );
);
"""
CODE = """
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from statehold.sdk import extension

if TYPE_CHECKING:
    from .calls import EventDict, Iterable_, ListDict, P, class_, overloadDict, str_, tuple_


@extension
def iterable(call: Iterable_) -> overloadDict:
    call.Key.insert(
        key=1, self="s", value=2, get=True, put=b"1", read=1.5, insert=3, update=4, class_="c", None_="n",
        from_="a.b",
    )
    call.Record.get.insert(sys_ID=1, i32=1, class_="c")
    name = call.arg.class_ or ""
    return {"from": name, "Import": "i", "bool": True, "int": 1, "str": "s"}


@extension("class")
def class_function(call: class_) -> ListDict:
    return {"b": 1, "e": [{"a": 1, "class": "x"}]}


@extension("str")
def str_function(call: str_) -> Iterator[EventDict]:
    given: int | None = call.arg.int
    for key, value in call.Key.read(class_=call.arg.str or ""):
        yield {"a": key.key, "get": value.value, "class": value.self + str(given) + (value.from_ or "")}


@extension
def p(call: P) -> None:
    call.View.Log.insert(a=1, c=None, class_="x")


@extension
def tuple(call: tuple_) -> None:
    call.log.info("%s", call.time)
"""


def test_odd_names_pass_mypy_strictly_and_run(tmp_path):
    folder = tmp_path / "acme.odd"
    package = folder / "image" / "pkg" / "acme.example" / "odd"
    (package / "extensions").mkdir(parents=True)
    (folder / "descriptor.json").write_text("{}")
    (package / "odd.vsql").write_text(VSQL, encoding="utf-8")
    (package / "extensions" / "code.py").write_text(CODE)
    with Project(folder) as project, project.stage() as app:
        rehearsal = project._rehearsal
        stubs = write_stubs(rehearsal.appdef, rehearsal.schemas, rehearsal.context.uses, "odd")
        run = app.command("Iterable", {"class": "c"})
        assert run.result == {"from": "c", "Import": "i", "bool": True, "int": 1, "str": "s"}
        run.commit()
        assert app.command("class", {}).result == {"b": 1, "e": ({"a": 1, "class": "x"},)}
        (row,) = app.query("str", {"from": "f", "str": "c", "int": 5}).results
        assert row == {"a": 1, "get": 2, "class": "s5a.b"}
        assert app.job("tuple").log == (("info", "1700000000.0"),)
    (package / "extensions" / STUBS).write_text(stubs, encoding="utf-8")
    assert 'Tut "etwas" mit Ümläuten\\\\\n' in stubs
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            "-p",
            "odd.extensions",
        ],
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout


def test_values_that_nobody_sees_are_left_out(tmp_path):
    folder = tmp_path / "acme.odd"
    package = folder / "image" / "pkg" / "acme.example" / "odd"
    package.mkdir(parents=True)
    (folder / "descriptor.json").write_text("{}")
    (package / "odd.vsql").write_text(VSQL, encoding="utf-8")
    with Project(folder) as project:
        rehearsal = project._rehearsal
        stubs = write_stubs(rehearsal.appdef, rehearsal.schemas, rehearsal.context.uses, "odd")
    assert "class LoggerKey" in stubs
    assert "class LoggerValue" not in stubs
