"""The image of a small app with something of everything that is called over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from statehold.images import build_image

APP = "acme.cafe"

VSQL = """
APPLICATION cafe();

ALTER WORKSPACE sys.AppWorkspaceWS (
  USE WORKSPACE CafeWS;
);

-- A cafe
WORKSPACE CafeWS (
  DESCRIPTOR Cafe (City varchar NOT NULL);

  -- What can be ordered
  TABLE Dish INHERITS sys.CDoc (
    Code  varchar(20) NOT NULL CHECK '^[a-z-]+$',
    Price money NOT NULL,
    Likes ref(Dish),
    Photo blob,
    Parts TABLE Part INHERITS sys.CRecord (Name varchar NOT NULL, Grams int32),
    UNIQUE (Code)
  );
  TABLE Hours INHERITS sys.CSingleton (Opens int32, Closes int32);
  TABLE Bill INHERITS sys.WDoc (Number int64 NOT NULL, Total money);
  TABLE Paper INHERITS sys.ODoc (Text varchar NOT NULL);

  VIEW Sold (Day int32 NOT NULL, Code varchar(20) NOT NULL, Count int64, PRIMARY KEY ((Day), Code))
    AS RESULT OF CountSold;
  VIEW Later (Day int32 NOT NULL, Code varchar(20) NOT NULL, Count int64, PRIMARY KEY ((Day), Code))
    AS RESULT OF CountLater;

  TYPE OrderParams (Code varchar(20) NOT NULL, Day int32 NOT NULL);
  TYPE Card (Number varchar(20) NOT NULL);
  TYPE OrderResult (Count int64 NOT NULL);
  TYPE Numbers (Count int32 NOT NULL, BreaksAt int32);
  TYPE Number (N int32 NOT NULL, Text varchar(1000));
  TYPE Everything (
    I8 int8, I16 int16, I32 int32, I64 int64, F32 float32, F64 float64, B bool, T varchar(50), R bytes(50),
    M money, W timestamp, Q qname, L ref, Parts TypeInside
  );
  TYPE TypeInside (Name varchar NOT NULL);

  EXTENSION ENGINE PYTHON (
    -- Order a dish
    COMMAND Order(OrderParams, UNLOGGED Card)
      STATE(sys.View(Sold)) INTENTS(sys.Record(Bill), sys.Response) RETURNS OrderResult;
    COMMAND File(Paper);
    COMMAND Fail;
    COMMAND Print;
    QUERY Count(Numbers) RETURNS Number;
    QUERY Echo(Everything) RETURNS Everything;
    QUERY Served(OrderParams) STATE(sys.View(Sold)) RETURNS OrderResult;
    SYNC PROJECTOR CountSold AFTER EXECUTE ON Order
      STATE(sys.View(Sold)) INTENTS(sys.View(Sold));
    PROJECTOR CountLater AFTER EXECUTE ON Order
      STATE(sys.View(Later)) INTENTS(sys.View(Later));
  );

  PUBLISHED ROLE Waiter;
  GRANT EXECUTE ON COMMAND Order TO Waiter;
  GRANT EXECUTE ON QUERY Count TO Waiter;
  GRANT SELECT(Code, Price) ON TABLE Dish TO Waiter;
  GRANT SELECT ON VIEW Sold TO Waiter;
  GRANT EXECUTE ON COMMAND Print TO Waiter;

  ROLE Cook;
  GRANT ALL ON TABLE Dish TO Cook;

  RATE Twice 2 PER HOUR PER WORKSPACE;
  LIMIT PrintLimit EXECUTE ON COMMAND Print WITH RATE Twice;
);
"""

CODE = """
from __future__ import annotations

from statehold.sdk import extension


@extension
def order(call):
    if call.arg.Code == "nothing":
        return call.respond(409, "there is nothing to order")
    call.Record.Bill.insert(sys_ID=1, Number=call.offset, Total=100)
    sold = call.View.Sold.get(Day=call.arg.Day, Code=call.arg.Code)
    return {"Count": 1 + (sold.Count if sold else 0)}


@extension
def file(call):
    pass


@extension
def print_(call):
    pass


@extension
def fail(call):
    raise RuntimeError("password 1234")


@extension
def count(call):
    for n in range(call.arg.Count):
        if n == call.arg.BreaksAt:
            raise RuntimeError("password 1234")
        yield {"N": n, "Text": "x" * 1000}


@extension
def echo(call):
    return call.arg


@extension
def served(call):
    sold = call.View.Sold.get(Day=call.arg.Day, Code=call.arg.Code)
    return {"Count": sold.Count if sold else 0}


def _count(call, view):
    key = view.key(Day=call.event.argument.Day, Code=call.event.argument.Code)
    found = view.get(key)
    view.insert(key, Count=1 + (found.Count if found else 0))


@extension
def count_sold(call):
    _count(call, call.View.Sold)


@extension
def count_later(call):
    _count(call, call.View.Later)
"""


def cafe(
    folder: Path,
    version: str = "1",
    *,
    code: str = CODE,
    vsql: str = VSQL,
    partitions: int = 2,
    sys: str = "",
    **descriptor: Any,
) -> Path:
    """Build the image, with a `sys` of its own if one is given, and return its path."""
    root = folder / version / APP
    package = root / "image/pkg/example.com/cafe"
    (package / "extensions").mkdir(parents=True)
    (package / "cafe.vsql").write_text(vsql)
    (package / "extensions/all.py").write_text(code)
    if sys:
        (root / "image/pkg/sys").mkdir()
        (root / "image/pkg/sys/sys.vsql").write_text(sys)
    descriptor = {"Version": version, "NumParts": partitions, "NumAppWorkspaces": 1, **descriptor}
    (root / "descriptor.json").write_text(json.dumps(descriptor))
    return build_image(root, folder / f"{APP}-{version}.shi")
