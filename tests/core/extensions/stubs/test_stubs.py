"""Stubs say what an extension gets of its call, so that mypy finds what does not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from statehold.extensions.stubs import write_stubs
from statehold.hosting import Rehearsal

VSQL = """
APPLICATION shop();

STATESTORAGE ENGINE BUILTIN (
  -- What lies on the shelves
  STORAGE Stock (
    GET SCOPE(COMMANDS, QUERIES), READ SCOPE(QUERIES), INSERT SCOPE(COMMANDS), UPDATE SCOPE(COMMANDS)
  )
  KEY (Shelf text NOT NULL, Name text NOT NULL)
  VALUE (Amount int32 NOT NULL, Name text, Weight float64, Photo bytes)
  WITH PROVIDER=Table;
  STORAGE log (GET SCOPE(COMMANDS))
  KEY (class text, At timestamp NOT NULL) VALUE (def bool) WITH PROVIDER=Table;
)

WORKSPACE ShopWS (
  DESCRIPTOR Shop ();
  TYPE Line (Text varchar NOT NULL);
  -- What is sold
  TYPE SellParams (Name varchar NOT NULL, Price money, Lines Line NOT NULL);
  TYPE Sold (Left int32 NOT NULL, Note varchar);
  TABLE Sale INHERITS sys.WDoc (
    Code varchar(10) NOT NULL, UNIQUE (Code), Lines TABLE SaleLine INHERITS sys.WRecord (Text varchar)
  );
  -- What was sold
  VIEW Sales (Year int32 NOT NULL, Month int32 NOT NULL, Amount int32, PRIMARY KEY ((Year), Month))
    AS RESULT OF Count;
  EXTENSION ENGINE PYTHON (
    -- Sells what there is
    COMMAND Sell(SellParams, UNLOGGED Line)
      STATE(Stock, log, sys.Record(Sale), sys.Uniq(Sale), sys.View(Sales))
      INTENTS(Stock, sys.Record(Sale), sys.Response, sys.Logger) RETURNS Sold;
    QUERY Find() STATE(Stock, sys.View(Sales)) RETURNS Sold;
    QUERY Ask(any) RETURNS any;
    PROJECTOR Count AFTER EXECUTE ON Sell INTENTS(sys.View(Sales));
    PROJECTOR Watch AFTER INSERT ON Sale INTENTS(sys.Logger);
  );
);
"""

RIGHT = """
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from statehold.sdk import extension

if TYPE_CHECKING:
    from .calls import Ask, Count, Find, Sell, SellParams, SoldDict, Watch


def weight(sold: SellParams) -> int:
    return sum(len(line.Text) for line in sold.Lines)


@extension
def sell(call: Sell) -> SoldDict | None:
    stock = call.Stock.get(Shelf="tea", Name=call.arg.Name)
    key = call.Stock.key(Shelf="tea", Name="Oolong", WSID=7)
    if stock is None or call.Stock.get(key) is None:
        call.respond(404, "no such thing")
        return None
    change = call.Stock.update(stock, Shelf="tea", Name="Assam", Amount=stock.Amount - 1)
    change.put(Weight=1, Photo=None)
    call.Stock.update(key, stock, Amount=1)
    call.Stock.insert(key, Amount=weight(call.arg), Photo=b"")
    call.Record.Sale.insert(sys_ID=1, Code=call.unlogged.Text)
    found = call.Uniq.Sale.get(Code="x")
    sale = call.Record.Sale.must_get(ID=None if found is None else found.ID)
    entry = call.log_.get(At=1)
    for each in call.View.Sales.get_many([call.View.Sales.key(Year=2026, Month=1)]):
        call.log.info("%s of %s", each and each.Amount, sale.sys_ParentID)
    name = call.principal.name if call.principal else ""
    return {"Left": call.offset + call.workspace, "Note": name if entry else None}


@extension
def find(call: Find) -> Iterator[SoldDict]:
    for key, sales in call.View.Sales.read(Year=2026):
        yield {"Left": (sales.Amount or 0) + key.Month}
    for stock_key, _ in call.Stock.read():
        call.log.debug(stock_key.Shelf)


@extension
def ask(call: Ask) -> Mapping[str, Any]:
    return call.arg


@extension
def count(call: Count) -> None:
    call.View.Sales.insert(Year=1, Month=2, Amount=call.event.argument.Price)
    for cud in call.event.cuds:
        call.View.Sales.insert(Year=1, Month=cud.id)


@extension
def watch(call: Watch) -> None:
    call.log.info("%s", call.event.argument)
"""

#: A line of a command, and what mypy has to say of it.
WRONG = {
    "call.Stock.get(Shlf='tea', Name='x')": 'Unexpected keyword argument "Shlf"',
    "call.Stock.get(Shelf=1, Name='x')": 'No overload variant of "get"',
    "call.Stock.get(Shelf='tea')": 'No overload variant of "get"',
    "call.Stock.insert(Shelf='a', Name='b', Amount='1')": 'No overload variant of "insert"',
    "call.Stock.insert(Shelf='a', Name='b')": 'No overload variant of "insert"',
    "call.Stock.read(Shelf='a')": 'has no attribute "read"',
    "call.View.Sales.insert(Year=1, Month=1)": 'has no attribute "insert"',
    "call.Uniq.Sale.insert(Code='x')": 'has no attribute "insert"',
    "call.Http": '"Sell" has no attribute "Http"',
    "call.Record.SaleLine": 'has no attribute "SaleLine"',
    "call.arg.Nme": '"SellParams" has no attribute "Nme"; maybe "Name"?',
    "call.arg.Lines[0].Txt": '"Line" has no attribute "Txt"',
    "call.event": '"Sell" has no attribute "event"',
    "call.respond('404')": 'incompatible type "str"; expected "int"',
    "call.Stock.key(Shelf='a', Name='b').Amount": 'has no attribute "Amount"',
    "call.Stock.must_get(Shelf='a', Name='b').Amount.x": '"int" has no attribute "x"',
    "call.Stock.update(Shelf='a', Name='b', Amont=1)": 'Unexpected keyword argument "Amont"',
    "call.Stock.insert(Shelf='a', Name='b', Amount=1).put(Amount=None)": 'expected "int"',
    "call.Stock.must_get(Shelf='a', Name='b').Amount = 1": "read-only",
    "return {'Lft': 1}": "Sold",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stubs") / "acme.shop"
    package = folder / "image" / "pkg" / "acme.example" / "shop"
    (package / "extensions").mkdir(parents=True)
    (folder / "descriptor.json").write_text("{}")
    (package / "shop.vsql").write_text(VSQL)
    return folder


@pytest.fixture(scope="module")
def stubs(project, tmp_path_factory) -> str:
    scratch = tmp_path_factory.mktemp("scratch")
    with Rehearsal(project, folder=scratch, load_code=False) as rehearsal:
        assert rehearsal.problems == []
        return write_stubs(rehearsal.appdef, rehearsal.schemas, rehearsal.context.uses, "shop")


@pytest.fixture(scope="module")
def mypy(project, stubs, tmp_path_factory):
    """Return what runs mypy, strictly, on the package with some code, and returns what it says."""
    package = project / "image" / "pkg" / "acme.example" / "shop"
    cache = tmp_path_factory.mktemp("cache")

    def run(code: str) -> list[str]:
        (package / "extensions" / "calls.pyi").write_text(stubs)
        (package / "extensions" / "code.py").write_text(code)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "mypy",
                "--strict",
                "--no-error-summary",
                "--cache-dir",
                str(cache),
                "-p",
                "shop.extensions",
            ],
            cwd=package.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert not done.stderr
        return [line for line in done.stdout.splitlines() if ": note:" not in line]

    return run


def test_code_that_fits_passes_mypy_strictly(mypy):
    assert mypy(RIGHT) == []


def test_what_does_not_fit_is_found_each_in_its_line(mypy):
    head = RIGHT.partition("@extension")[0]
    lines = "\n".join(f"    {line}" for line in WRONG)
    said = mypy(f"{head}\ndef wrong(call: Sell) -> SoldDict | None:\n    if call:\n        pass\n{lines}\n")
    first = head.count("\n") + 5
    for number, (line, expected) in enumerate(WRONG.items(), first):
        found = [each for each in said if f"code.py:{number}: " in each]
        assert any(expected in each for each in found), (line, found)
    assert len({each.split(":")[1] for each in said}) == len(WRONG)


def test_comments_of_the_declarations_become_documentation(stubs):
    assert 'class Sell:\n    """Sells what there is\n\n    COMMAND shop.Sell(shop.SellParams,' in stubs
    assert '"""shop.Stock: GET, INSERT, UPDATE.\n\n    What lies on the shelves\n    """' in stubs
    assert 'class Sales(Value, frozen=True):\n    """What was sold"""' in stubs
    assert '    Price: int | None\n    """money, in ten-thousandths"""' in stubs


def test_names_that_python_has_taken_are_told(stubs):
    assert "    class_: str | None\n" in stubs
    assert "def get(self, *, At: int, class_: str | None = ..., WSID: int = ...)" in stubs
    assert "log_: log_GET" in stubs


def test_the_same_declarations_give_the_same_stubs(project, stubs, tmp_path):
    with Rehearsal(project, folder=tmp_path, load_code=False) as rehearsal:
        again = write_stubs(rehearsal.appdef, rehearsal.schemas, rehearsal.context.uses, "shop")
        assert again == stubs
        assert write_stubs(rehearsal.appdef, rehearsal.schemas, rehearsal.context.uses, "sys") is None
